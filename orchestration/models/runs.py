"""Runs, their events and node runs, signals to them, and the hosts that drive them.

Only `orchestration.store` writes runs under a lease; `orchestration.services.new_runs` starts them and `.runs` posts
signals. Times are the database's. `due_at` says when a host should look at the run: null means nothing is to be done
before a signal comes.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from orchestration.engine.statuses import NodeStatus, RunStatus
from orchestration.models.workflows import Definition, Workflow, WorkflowVersion
from portal.core.models import Organisation


class RunQuerySet(models.QuerySet["Run"]):
    def unfinished(self) -> RunQuerySet:
        return self.exclude(status__in=[RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED])


class Run(models.Model):
    """One execution of one definition."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # keys without an index of their own have one below that begins with them: every write of a row pays for each
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="runs", db_index=False)
    workflow = models.ForeignKey(
        Workflow, null=True, blank=True, on_delete=models.SET_NULL, related_name="runs", db_index=False
    )
    version = models.ForeignKey(WorkflowVersion, null=True, blank=True, on_delete=models.SET_NULL, related_name="runs")
    definition = models.ForeignKey(Definition, on_delete=models.PROTECT, related_name="+", db_index=False)
    name = models.CharField(max_length=200, help_text="The workflow's name when the run began, or what was tried.")
    kind = models.CharField(
        max_length=20, default="workflow", help_text="workflow, or trial (an agent tried on its page)"
    )
    source = models.CharField(
        max_length=20,
        default="web",
        help_text="Where it was started: web, api, cli; or by what kind of trigger: cron, webhook, event",
    )
    trigger = models.ForeignKey(
        "Trigger", null=True, blank=True, on_delete=models.SET_NULL, related_name="runs", db_index=False
    )
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001  null is "none given", outside of the unique key
    priority = models.PositiveSmallIntegerField(default=5)
    origin = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="reruns",
        db_index=False,
        help_text="Re-run of this run.",
    )
    origin_node = models.CharField(
        max_length=200, blank=True, help_text="The steps it was re-run from, joined by commas."
    )
    beginning = models.JSONField(
        null=True, blank=True, help_text="Of a re-run: variables and reused results, until its first event holds them."
    )
    parent = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="children",
        db_index=False,
        help_text="The run whose subworkflow node began this one.",
    )
    parent_node = models.CharField(max_length=64, blank=True)
    parent_path = models.CharField(max_length=200, blank=True)
    parent_attempt = models.PositiveIntegerField(default=0)
    depth = models.PositiveSmallIntegerField(default=0, help_text="How many runs are above it.")
    budget = models.JSONField(null=True, blank=True, help_text="usd, tokens: its own, and what its parent had left.")
    passed_on = models.JSONField(
        null=True, blank=True, help_text="How much of its cost and tokens its parent's row has been given."
    )

    status = models.CharField(max_length=20, default=RunStatus.QUEUED)
    inputs = models.JSONField(default=dict)
    outputs = models.JSONField(null=True, blank=True)
    error = models.JSONField(null=True, blank=True)
    nodes_total = models.PositiveIntegerField(default=0)
    nodes_ended = models.PositiveIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=14, decimal_places=6, default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    last_seq = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Since when its rows are packed (`RunArchive`).",
    )

    due_at = models.DateTimeField(null=True, blank=True)
    lease_token = models.BigIntegerField(
        default=0, help_text="Counts up with each claim. Every write names it, so an older holder writes nothing."
    )
    lease_expires_at = models.DateTimeField(null=True, blank=True, help_text="Null while nobody holds the run.")
    host = models.ForeignKey(
        "EngineHost", null=True, blank=True, on_delete=models.SET_NULL, related_name="runs", db_index=False
    )
    claims = models.PositiveSmallIntegerField(
        default=0, help_text="Claims since the last progress; too many is an incident."
    )
    signals_posted = models.BigIntegerField(default=0, help_text="Counts signals, so that letting go cannot miss one.")
    too_new = models.JSONField(
        null=True,
        blank=True,
        help_text="What hosts of an older version could not read and leave to newer ones: versions, what, at.",
    )
    incident = models.JSONField(null=True, blank=True, help_text="Why the run is in quarantine.")

    objects = RunQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "idempotency_key"], name="run_idempotency_key_once"),
        ]
        indexes = [
            # what hosts claim from: runs in hand are not in it
            models.Index(
                models.F("organisation"),
                RawSQL("((due_at AT TIME ZONE 'UTC') - priority * interval '30 seconds')", []),  # store.claims.TURN
                name="run_turn",
                condition=models.Q(due_at__isnull=False, host__isnull=True, incident__isnull=True),
            ),
            models.Index(
                fields=["claims"],
                name="run_suspect",
                condition=models.Q(due_at__isnull=False, host__isnull=True, incident__isnull=True, claims__gte=3),
            ),
            models.Index(
                fields=["due_at"],
                name="run_next_due",
                condition=models.Q(due_at__isnull=False, host__isnull=True, incident__isnull=True),
            ),
            models.Index(fields=["host"], name="run_host", condition=models.Q(host__isnull=False)),
            models.Index(
                fields=["organisation"],
                name="run_open",
                condition=~models.Q(status__in=["completed", "failed", "cancelled"]),
            ),
            models.Index(fields=["organisation", "-created_at"], name="run_recent"),
            models.Index(fields=["organisation", "status", "-created_at"], name="run_status"),
            models.Index(fields=["workflow", "-created_at"], name="run_workflow"),
            models.Index(fields=["definition"], name="run_definition"),
            models.Index(fields=["origin"], name="run_origin", condition=models.Q(origin__isnull=False)),
            # those under way of a trigger are counted each time it fires
            models.Index(fields=["trigger", "status"], name="run_trigger", condition=models.Q(trigger__isnull=False)),
            # what is looked for by the hour, however many runs have been archived
            models.Index(
                fields=["organisation", "ended_at"],
                name="run_to_archive",
                condition=models.Q(ended_at__isnull=False, archived_at=None, parent=None),
            ),
            models.Index(
                fields=["parent", "parent_node", "parent_path"],
                name="run_children",
                condition=models.Q(parent__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {str(self.id)[:8]}"

    @property
    def ended(self) -> bool:
        return RunStatus(self.status).ended


class RunEvent(models.Model):
    """One numbered fact; see `orchestration.engine.events`. Numbers of a run have no gap."""

    pk = models.CompositePrimaryKey("run_id", "seq")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events", db_index=False)
    seq = models.BigIntegerField()
    at = models.DateTimeField()
    type = models.CharField(max_length=40)
    node = models.CharField(max_length=64, blank=True)
    path = models.CharField(max_length=200, blank=True)
    data = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"{self.seq} {self.type}"


class RunSnapshot(models.Model):
    """The state of a long run after its event `seq` (`orchestration.store.snapshots`). May be deleted at any time."""

    run = models.OneToOneField(Run, primary_key=True, on_delete=models.CASCADE, related_name="snapshot")
    seq = models.BigIntegerField()
    shape = models.CharField(max_length=64, help_text="Of the code that made it. Another's is ignored.")
    definition = models.CharField(max_length=64, help_text="Digest of the definition it was made with.")
    body = models.BinaryField()
    taken_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.run_id} at {self.seq}"


class NodeRun(models.Model):
    """A node within a run, one row an iteration: what pages and statistics read."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="node_runs", db_index=False)
    node = models.CharField(max_length=64)
    path = models.CharField(max_length=200, blank=True)
    type = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    status = models.CharField(max_length=20, default=NodeStatus.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    port = models.CharField(max_length=64, blank=True)
    inputs = models.JSONField(null=True, blank=True)
    outputs = models.JSONField(null=True, blank=True)
    error = models.JSONField(null=True, blank=True)
    waiting = models.JSONField(null=True, blank=True, help_text="While waiting: reason, until, data.")
    agent = models.CharField(max_length=80, blank=True)
    agent_version = models.PositiveIntegerField(null=True, blank=True)
    model = models.CharField(max_length=120, blank=True)
    cost_usd = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    input_tokens = models.BigIntegerField(null=True, blank=True)
    output_tokens = models.BigIntegerField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "node", "path"], name="node_run_once")]
        indexes = [models.Index(fields=["agent", "-ended_at"], name="node_run_agent", condition=~models.Q(agent=""))]

    def __str__(self) -> str:
        return f"{self.node}[{self.path}]" if self.path else self.node


class RunSignal(models.Model):
    """Something from outside for a run; see `orchestration.engine.signals`."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="signals")
    kind = models.CharField(max_length=20)
    node = models.CharField(max_length=64, blank=True)
    path = models.CharField(max_length=200, blank=True)
    by = models.CharField(max_length=200, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    data = models.JSONField(null=True, blank=True)
    posted_at = models.DateTimeField(db_default=Now())
    applied_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["run", "id"], name="signal_open", condition=models.Q(applied_at__isnull=True))]

    def __str__(self) -> str:
        return f"{self.kind} for {self.run_id}"


class EngineHost(models.Model):
    """A process that drives runs. Holds a session advisory lock on its id for as long as it lives."""

    id = models.BigAutoField(primary_key=True)
    hostname = models.CharField(max_length=200)
    pid = models.IntegerField()
    started_at = models.DateTimeField(db_default=Now())
    heartbeat_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)
    draining = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.hostname}:{self.pid}"
