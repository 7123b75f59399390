"""The decision form: what is bound to it travels in hidden fields and comes back unchanged."""

from __future__ import annotations

import uuid

from django import forms

from reviews_app.models import DecisionKind

REASON_CHARS = 5000


class DecisionForm(forms.Form):
    """Shape only; whether the decision may be taken is decided by the verb."""

    kind = forms.ChoiceField(
        choices=DecisionKind.choices,
        error_messages={
            "required": "Choose approve, request changes or block.",
            "invalid_choice": "Choose approve, request changes or block.",
        },
    )
    reason = forms.CharField(required=False, max_length=REASON_CHARS, widget=forms.Textarea)
    read = forms.BooleanField(required=False)
    head = forms.CharField(max_length=64, required=False)
    report_digest = forms.CharField(max_length=64, required=False)
    results_digest = forms.CharField(max_length=64, required=False)
    request_id = forms.CharField(max_length=64)


def fresh_id() -> str:
    """A number for one filled-in form, so that sending it twice decides once."""
    return uuid.uuid4().hex
