"""What a session states, and the rows that follow from it: targets, experiments, findings, state files."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.urls import reverse

from sessions_app.models.work import Session
from sessions_app.querysets import EventQuerySet, ExperimentQuerySet


class Event(models.Model):
    """Append only. ``(session, seq)`` starts at 1 and has no gap; ``body`` is the engine's JSON without its kind."""

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="events")
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=40)
    at = models.DateTimeField()
    body = models.JSONField()

    objects = EventQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "seq"], name="event_seq_of_session")]

    def __str__(self) -> str:
        return f"{self.session_id}/{self.seq} {self.kind}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise TypeError("events are append only")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("events are append only")


class Target(models.Model):
    """The newest ranking of a session: one row per function or module and dimension."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="targets")
    rank = models.PositiveSmallIntegerField()
    path = models.CharField(max_length=500)
    qualname = models.CharField(max_length=300)
    line = models.PositiveIntegerField()
    domain = models.CharField(max_length=12)
    share = models.FloatField(null=True)
    bound = models.FloatField(null=True)
    expected = models.FloatField(null=True)
    score = models.FloatField(default=0)
    evidence = models.CharField(max_length=2, default="E0")
    rules = models.JSONField(default=list)
    note = models.CharField(max_length=300, blank=True)
    commit = models.CharField(max_length=64, blank=True)
    tried = models.PositiveIntegerField(default=0)
    kept = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["rank"]
        constraints = [
            models.UniqueConstraint(
                fields=["session", "path", "qualname", "domain"], name="target_of_session"
            )
        ]

    def __str__(self) -> str:
        return f"{self.path}::{self.qualname}"


class ExperimentStatus(models.TextChoices):
    RUNNING = "running", "Running"
    KEEP = "keep", "Keep"
    DISCARD = "discard", "Discard"
    CRASH = "crash", "Crash"


class Experiment(models.Model):
    """One try: its hypothesis, its change, what was measured and why it was kept or not. Unknown is null, never 0."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="experiments")
    number = models.PositiveIntegerField()
    uid = models.CharField(max_length=64)
    path = models.CharField(max_length=500)
    qualname = models.CharField(max_length=300)
    line = models.PositiveIntegerField(default=0)
    domain = models.CharField(max_length=12)
    agent = models.CharField(max_length=20)
    pattern = models.CharField(max_length=80)
    author = models.CharField(max_length=20, default="rule")
    tier = models.CharField(max_length=10, blank=True)
    title = models.CharField(max_length=300)
    hypothesis = models.TextField(blank=True)
    status = models.CharField(
        max_length=10, choices=ExperimentStatus.choices, default=ExperimentStatus.RUNNING
    )
    reason_class = models.CharField(max_length=20, blank=True)
    reason = models.TextField(blank=True)
    commit = models.CharField(max_length=64, blank=True)
    reverted = models.CharField(max_length=300, blank=True)
    metric = models.CharField(max_length=8, blank=True)
    unit = models.CharField(max_length=8, blank=True)
    before = models.FloatField(null=True)
    after = models.FloatField(null=True)
    ratio = models.FloatField(null=True)
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    floor = models.FloatField(null=True)
    best = models.FloatField(null=True)
    evidence = models.CharField(max_length=2, blank=True)
    started = models.DateTimeField()
    ended = models.DateTimeField(null=True)
    started_seq = models.PositiveIntegerField()
    ended_seq = models.PositiveIntegerField(null=True)

    objects = ExperimentQuerySet.as_manager()

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["session", "number"], name="experiment_number_of_session")
        ]
        indexes = [models.Index(fields=["-id"], name="experiment_newest")]

    def __str__(self) -> str:
        return f"experiment {self.number} of session {self.session_id}"

    def get_absolute_url(self) -> str:
        return reverse("experiment", args=[self.session_id, self.number])


class ExperimentDetail(models.Model):
    """The heavy part of an experiment, never read by lists: measurements with samples, checks, tests, diff, output."""

    experiment = models.OneToOneField(Experiment, on_delete=models.CASCADE, related_name="detail")
    measurement = models.JSONField(null=True)
    end_to_end = models.JSONField(null=True)
    tests = models.JSONField(null=True)
    checks = models.JSONField(default=list)
    counterexample = models.TextField(blank=True)
    diff = models.TextField(blank=True)
    output = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"detail of {self.experiment}"


class Finding(models.Model):
    """What the researcher sent about one target."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="findings")
    seq = models.PositiveIntegerField()
    target = models.CharField(max_length=800)
    rank = models.PositiveSmallIntegerField()
    text = models.TextField()
    proposals = models.JSONField(default=list)
    obligations = models.JSONField(default=list)
    risks = models.JSONField(default=list)

    class Meta:
        ordering = ["seq"]

    def __str__(self) -> str:
        return f"finding on {self.target}"


class StateFile(models.Model):
    """The newest text of a ``.codeflash/`` file, kept after the workspace is gone."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="state_files")
    name = models.CharField(max_length=40)
    digest = models.CharField(max_length=64)
    content = models.TextField()
    cut = models.PositiveIntegerField(default=0)
    seq = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "name"], name="state_file_of_session")]

    def __str__(self) -> str:
        return f"{self.name} of session {self.session_id}"
