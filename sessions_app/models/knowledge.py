"""Learnings: what sessions found out, a person's word on it, and which sessions were told."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from sessions_app.models.work import Repo, Session
from sessions_app.querysets import LearningQuerySet


class LearningState(models.TextChoices):
    PROPOSED = "proposed", "Proposed"
    CONFIRMED = "confirmed", "Confirmed"
    CONTRADICTED = "contradicted", "Contradicted"
    RETIRED = "retired", "Retired"


class Learning(models.Model):
    """One thing a session found out. ``state`` is a person's word and survives a replay of the events."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="learnings")
    repo = models.ForeignKey(Repo, on_delete=models.CASCADE, related_name="learnings")
    seq = models.PositiveIntegerField()
    number = models.PositiveIntegerField(null=True)
    domain = models.CharField(max_length=12)
    pattern = models.CharField(max_length=80)
    outcome = models.CharField(max_length=10)
    claim = models.TextField()
    evidence = models.TextField(blank=True)
    target = models.CharField(max_length=800, blank=True)
    commit = models.CharField(max_length=64, blank=True)
    ratio = models.FloatField(null=True)
    created = models.DateTimeField()
    state = models.CharField(max_length=14, choices=LearningState.choices, default=LearningState.PROPOSED)
    state_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    state_at = models.DateTimeField(null=True, blank=True)
    state_reason = models.CharField(max_length=300, blank=True)

    objects = LearningQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "seq"], name="learning_of_event")]
        indexes = [
            models.Index(fields=["repo", "-id"], name="learning_of_repo"),
            # The facets are counted from this index alone; rows with their texts are not read.
            models.Index(fields=["repo", "state", "domain"], name="learning_facets"),
        ]

    def __str__(self) -> str:
        return self.claim[:80]


class LearningUse(models.Model):
    """A learning that was given to a session at its launch, so "used in N sessions" can be counted."""

    learning = models.ForeignKey(Learning, on_delete=models.CASCADE, related_name="uses")
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="learnings_given")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["learning", "session"], name="learning_given_once")]

    def __str__(self) -> str:
        return f"{self.learning_id} given to {self.session_id}"
