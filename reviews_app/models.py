"""Review reports, their passes and findings, and the decisions people take. Decisions are append only."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from reviews_app.querysets import DecisionQuerySet, ReviewQuerySet
from sessions_app.models import Session


class Review(models.Model):
    """One report of the reviewing agent, for one head. A session's newest round is the one a person decides on."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="reviews")
    round = models.PositiveSmallIntegerField()
    seq = models.PositiveIntegerField()
    verdict = models.CharField(max_length=16)
    head = models.CharField(max_length=64)
    base = models.CharField(max_length=64)
    summary = models.TextField()
    report_digest = models.CharField(max_length=64)
    results_digest = models.CharField(max_length=64)
    filed = models.DateTimeField()
    seconds = models.FloatField(null=True)
    without = models.JSONField(default=list)

    objects = ReviewQuerySet.as_manager()

    class Meta:
        ordering = ["-round"]
        constraints = [models.UniqueConstraint(fields=["session", "round"], name="review_round_of_session")]

    def __str__(self) -> str:
        return f"review {self.round} of session {self.session_id}: {self.verdict}"

    def get_absolute_url(self) -> str:
        return reverse("review", args=[self.session_id])


class ReviewPass(models.Model):
    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="passes")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=40)
    state = models.CharField(max_length=10)
    summary = models.TextField(blank=True)

    class Meta:
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.name}: {self.state}"


class ReviewFinding(models.Model):
    review_pass = models.ForeignKey(ReviewPass, on_delete=models.CASCADE, related_name="findings")
    position = models.PositiveSmallIntegerField()
    severity = models.CharField(max_length=10)
    title = models.CharField(max_length=300)
    text = models.TextField(blank=True)
    path = models.CharField(max_length=500, blank=True)
    line = models.PositiveIntegerField(null=True)
    state = models.CharField(max_length=10, default="open")
    resolution = models.TextField(blank=True)

    class Meta:
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.severity}: {self.title}"


class DecisionKind(models.TextChoices):
    APPROVED = "approved", "Approved"
    CHANGES_REQUESTED = "changes_requested", "Changes requested"
    BLOCKED = "blocked", "Blocked"


class Decision(models.Model):
    """A person's word on one exact revision. The row never changes; name and role are copied into it."""

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="decisions")
    review_round = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=20, choices=DecisionKind.choices)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="decisions")
    actor_name = models.CharField(max_length=160)
    role = models.CharField(max_length=10)
    self_approved = models.BooleanField(default=False)
    reason = models.TextField(blank=True)
    head = models.CharField(max_length=64)
    report_digest = models.CharField(max_length=64)
    results_digest = models.CharField(max_length=64)
    isolation_level = models.CharField(max_length=4, blank=True)
    request_id = models.CharField(max_length=64, unique=True)
    created = models.DateTimeField(default=timezone.now)
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)
    pull_title = models.CharField(max_length=200, blank=True)
    pull_body = models.TextField(blank=True)
    next_session = models.ForeignKey(Session, null=True, on_delete=models.PROTECT, related_name="+")

    objects = DecisionQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["session", "head"], name="decision_on_head")]

    def __str__(self) -> str:
        return f"{self.kind} by {self.actor_name} on session {self.session_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise TypeError("decisions are append only")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("decisions are append only")


class Receipt(models.Model):
    """What happened when an approved branch was brought home: ``done`` with the head, or ``failed`` with the reason.

    The first line of ``detail`` is a sentence for people; what follows is the raw words of the tool.
    """

    decision = models.ForeignKey(Decision, on_delete=models.PROTECT, related_name="receipts")
    state = models.CharField(max_length=10)
    detail = models.TextField(blank=True)
    head = models.CharField(max_length=64, blank=True)
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.state}: {self.detail[:60]}"

    @property
    def said(self) -> str:
        return self.detail.partition("\n")[0]

    @property
    def raw(self) -> str:
        return self.detail.partition("\n")[2]
