"""Forms: what a person typed, checked for shape. What is allowed is the verbs' business."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm

from engine.brief import CREWS, DOMAIN_CHOICES, BriefLimits
from sessions_app.models import LearningState, Repo, Session

DEFAULTS = BriefLimits()
CREWS_READY = ("builtin",)
MODE_WORDS = {
    "start": ("Start", "Set up, optimize, review"),
    "scan": ("Scan", "Rank targets, change nothing"),
    "resume": ("Resume", "Go on from a hand-off"),
    "review": ("Review", "Review a branch as it is"),
}
CREW_WORDS = {
    "builtin": "Deterministic rules, no model cost",
    "claude": "Agents from the plugin",
    "codex": "Agents from the plugin",
}


class Input(forms.TextInput):
    """Text inputs carry the product's class and point at their hint and error."""


def _described(form: forms.BaseForm) -> None:
    for name, field in form.fields.items():
        widget = field.widget
        if not isinstance(widget, forms.RadioSelect | forms.CheckboxInput | forms.HiddenInput):
            widget.attrs.setdefault("class", "input")
        widget.attrs["aria-describedby"] = f"{name}-hint {name}-error"
        if name in form.errors:
            widget.attrs["aria-invalid"] = "true"


class DescribedForm(forms.Form):
    """Fields are tied to their hint and error text for assistive technology."""

    def full_clean(self) -> None:
        super().full_clean()
        if self.is_bound:
            _described(self)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_bound:
            _described(self)


class SignInForm(AuthenticationForm):
    """Django's own check of name and password, in the product's fields."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = "input"


class RepoForm(DescribedForm):
    source = forms.CharField(
        max_length=1000,
        label="Path or clone address",
        help_text="A folder on this machine, or an https or ssh address. Nothing in it is changed.",
    )
    name = forms.CharField(
        max_length=120, required=False, label="Name", help_text="Empty takes it from the path or address."
    )


class LaunchForm(DescribedForm):
    repo = forms.ModelChoiceField(Repo.objects.none(), label="Repo", empty_label=None)
    base_ref = forms.CharField(
        max_length=200,
        required=False,
        label="Base ref",
        help_text="Branch, tag or commit. Empty takes the default branch.",
    )
    goal = forms.CharField(
        max_length=2000, required=False, label="Goal", widget=forms.Textarea(attrs={"rows": 2})
    )
    mode = forms.ChoiceField(
        choices=[(key, title) for key, (title, _) in MODE_WORDS.items()], initial="start"
    )
    parent = forms.ModelChoiceField(Session.objects.none(), required=False, label="Session to resume")
    review_branch = forms.CharField(max_length=200, required=False, label="Branch to review")
    domain = forms.ChoiceField(choices=[(d, d or "Router's choice") for d in DOMAIN_CHOICES], required=False)
    crew = forms.ChoiceField(choices=[(c, c) for c in CREWS], initial="builtin")
    hours = forms.FloatField(
        min_value=0.02, max_value=72, initial=f"{DEFAULTS.wall_seconds / 3600:g}", label="Time",
        error_messages={"min_value": "Use 0.02 hours or more", "max_value": "Use 72 hours or less"},
    )  # fmt: skip
    experiments = forms.IntegerField(
        min_value=1, max_value=10_000, initial=DEFAULTS.experiments, label="Experiments",
        error_messages={"min_value": "Use 1 or more"},
    )  # fmt: skip
    plateau = forms.IntegerField(
        min_value=1, max_value=1000, initial=DEFAULTS.plateau, label="Stop after discards",
        error_messages={"min_value": "Use 1 or more"},
    )  # fmt: skip
    request_id = forms.CharField(max_length=64, widget=forms.HiddenInput, initial=lambda: uuid.uuid4().hex)

    def __init__(self, *args: Any, repos: Any, parents: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, rows in (("repo", repos), ("parent", parents)):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset = rows

    def clean_crew(self) -> str:
        crew: str = self.cleaned_data["crew"]
        if crew not in CREWS_READY:
            raise forms.ValidationError(f"The {crew} engine is not set up on this machine. Use builtin.")
        return crew

    def limits(self) -> dict[str, float]:
        """The three limits people set, in the brief's own units."""
        data = self.cleaned_data
        return {
            "wall_seconds": data["hours"] * 3600,
            "experiments": data["experiments"],
            "plateau": data["plateau"],
        }


class LearningStateForm(forms.Form):
    state = forms.ChoiceField(choices=LearningState.choices)
    reason = forms.CharField(max_length=300, required=False)
