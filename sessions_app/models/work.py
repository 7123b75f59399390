"""Repos, sessions on them and the workers that run them.

The session row is also the queue item, the lease, the heartbeat, the fence and the cancel flag.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from sessions_app.models.people import Team
from sessions_app.querysets import RepoQuerySet, SessionQuerySet


class Repo(models.Model):
    """A registered repository. ``source`` is a local path or an https/ssh address; ``name`` is ``owner/name`` style."""

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="repos")
    name = models.CharField(max_length=120)
    source = models.CharField(max_length=1000)
    default_ref = models.CharField(max_length=200, blank=True)
    language = models.CharField(max_length=40, blank=True)
    created = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    max_running = models.PositiveSmallIntegerField(default=1)
    open_isolation_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    open_isolation_at = models.DateTimeField(null=True, blank=True)
    conventions = models.TextField(blank=True)

    objects = RepoQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "name"], name="repo_name_in_team")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("repo", args=[self.pk])

    @property
    def slug(self) -> str:
        return self.name.rsplit("/", 1)[-1]


class Status(models.TextChoices):
    """What the queue and people see. It changes only in actions; ``stage`` changes only by events."""

    QUEUED = "queued", "Queued"
    PREPARING = "preparing", "Preparing"
    RUNNING = "running", "Running"
    PAUSED = "paused", "Paused"
    STOPPING = "stopping", "Stopping"
    WAITING = "waiting", "Waiting for you"
    FINISHED = "finished", "Finished"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"
    INTERRUPTED = "interrupted", "Interrupted"


HELD = (Status.PREPARING, Status.RUNNING, Status.STOPPING)
"""A worker owns these: they carry a lease and occupy a slot of the repo."""
ENDED = (Status.FINISHED, Status.FAILED, Status.CANCELLED, Status.INTERRUPTED)
LIVE = (Status.QUEUED, *HELD, Status.PAUSED, Status.WAITING)


class Session(models.Model):
    """One run of the engine on one repo, from launch to its one end."""

    repo = models.ForeignKey(Repo, on_delete=models.PROTECT, related_name="sessions")
    title = models.CharField(max_length=200)
    mode = models.CharField(max_length=10, default="start")
    domain = models.CharField(max_length=12, blank=True)
    crew = models.CharField(max_length=10, default="builtin")
    goal = models.TextField(blank=True)
    reason = models.TextField(blank=True)
    limits = models.JSONField(default=dict)
    base_ref = models.CharField(max_length=200, blank=True)
    review_branch = models.CharField(max_length=200, blank=True)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children"
    )
    launched_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="launched"
    )
    request_id = models.CharField(max_length=64, null=True, blank=True, unique=True)

    status = models.CharField(max_length=12, choices=Status.choices, default=Status.QUEUED)
    priority = models.SmallIntegerField(default=0)
    run_after = models.DateTimeField(default=timezone.now)
    owner = models.CharField(max_length=120, blank=True)
    token = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    slot = models.PositiveSmallIntegerField(null=True, blank=True)
    cancel_requested = models.DateTimeField(null=True, blank=True)
    cancelled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    created = models.DateTimeField(default=timezone.now)
    started = models.DateTimeField(null=True, blank=True)
    ended = models.DateTimeField(null=True, blank=True)
    end_reason = models.TextField(blank=True)

    # Projected from events; manage.py replay rebuilds them.
    last_seq = models.PositiveIntegerField(default=0)
    stage = models.CharField(max_length=12, default="new")
    failed_stage = models.CharField(max_length=12, blank=True)
    stage_times = models.JSONField(default=dict)
    chosen_domain = models.CharField(max_length=12, blank=True)
    base = models.CharField(max_length=64, blank=True)
    head = models.CharField(max_length=64, blank=True)
    branch = models.CharField(max_length=250, blank=True)
    isolation = models.JSONField(default=dict)
    fingerprint = models.JSONField(default=dict)
    setup = models.JSONField(default=dict)
    metric = models.CharField(max_length=8, blank=True)
    unit = models.CharField(max_length=8, blank=True)
    baseline = models.FloatField(null=True, blank=True)
    floor = models.FloatField(null=True, blank=True)
    tried = models.PositiveIntegerField(default=0)
    kept = models.PositiveIntegerField(default=0)
    crashed = models.PositiveIntegerField(default=0)
    consecutive = models.PositiveIntegerField(default=0)
    best = models.FloatField(null=True, blank=True)
    speedup = models.JSONField(null=True, blank=True)
    now = models.JSONField(default=dict)
    agents = models.JSONField(default=dict)
    verdict = models.CharField(max_length=16, blank=True)
    results_digest = models.CharField(max_length=64, blank=True)

    objects = SessionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["repo", "slot"],
                condition=Q(status__in=["preparing", "running", "stopping"]),
                name="one_session_per_repo_slot",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "-priority", "id"], name="session_queue"),
            models.Index(fields=["repo", "-id"], name="session_of_repo"),
            models.Index(fields=["repo", "created"], name="session_of_repo_by_age"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"

    def get_absolute_url(self) -> str:
        return reverse("session", args=[self.pk])

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def is_held(self) -> bool:
        return self.status in HELD

    @property
    def lost_contact(self) -> bool:
        """Shown instead of the status while an expired lease waits for the reaper."""
        return self.is_held and self.lease_until is not None and self.lease_until < timezone.now()


class Worker(models.Model):
    """One worker process and what its host can do; ``seen`` is database time."""

    name = models.CharField(max_length=120, unique=True)
    host = models.CharField(max_length=120)
    pid = models.PositiveIntegerField()
    places = models.PositiveSmallIntegerField(default=1)
    isolation = models.JSONField(default=dict)
    started = models.DateTimeField(default=timezone.now)
    seen = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name
