"""Teams, repos, sessions and everything a session states. Rows below ``Event`` are a cache of events.

The session row is also the queue item, the lease, the heartbeat, the fence and the cancel flag.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from sessions_app.querysets import (
    EventQuerySet,
    ExperimentQuerySet,
    LearningQuerySet,
    RepoQuerySet,
    SessionQuerySet,
)


class Role(models.TextChoices):
    VIEWER = "viewer", "Viewer"
    MEMBER = "member", "Member"
    REVIEWER = "reviewer", "Reviewer"
    ADMIN = "admin", "Admin"


class Team(models.Model):
    name = models.CharField(max_length=80)
    slug = models.SlugField(unique=True)
    max_running = models.PositiveSmallIntegerField(default=2)
    created = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.MEMBER)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "user"], name="one_membership_per_team")]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}: {self.role}"


class SignInLink(models.Model):
    """A one-time sign-in address: only the sha256 of its secret is stored."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    digest = models.CharField(max_length=64, unique=True)
    created = models.DateTimeField(default=timezone.now)
    expires = models.DateTimeField()
    used = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"sign-in link of {self.user}"


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


class AuditEntry(models.Model):
    """Who did what to which object, written in the transaction of the action itself."""

    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    verb = models.CharField(max_length=40)
    object_kind = models.CharField(max_length=40)
    object_id = models.PositiveBigIntegerField()
    detail = models.JSONField(default=dict)
    created = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.actor} {self.verb} {self.object_kind} {self.object_id}"
