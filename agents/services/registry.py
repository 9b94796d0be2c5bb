"""Creating and changing agents and publishing their versions. Lock → check → write → audit → tell the others."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from agents import snapshots
from agents.compatibility import Change, Contract, breaking_changes
from agents.contracts import Fault
from agents.models import Agent, AgentVersion, Domain, Status
from agents.services.drafts import InvalidAgent, VersionDraft, advice, completed, draft_faults
from agents.services.relying import BreaksWorkflows, relying_on
from portal.core import live
from portal.core.actors import Actor
from portal.core.errors import Conflict
from portal.core.models import Organisation
from portal.core.services import audit

JSON = Any
LONGEST_WORD, MOST_WORDS = 60, 30


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCard:
    """The fields of `Agent` that a person chooses and may change at any time."""

    name: str
    description: str = ""
    domain: str = Domain.OPERATIONS.value
    skills: Sequence[str] = field(default_factory=list)
    input_types: Sequence[str] = field(default_factory=list)
    output_types: Sequence[str] = field(default_factory=list)
    tags: Sequence[str] = field(default_factory=list)

    @classmethod
    def of(cls, agent: Agent) -> "AgentCard":
        return cls(**{one.name: getattr(agent, one.name) for one in fields(cls)})

    def values(self) -> dict[str, JSON]:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """created: False when the draft is what the current version already says. breaking: against that version."""

    version: AgentVersion
    created: bool
    breaking: list[Change] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)


class SlugTaken(Conflict):
    def __init__(self, slug: str) -> None:
        super().__init__(f"There is an agent “{slug}” already. Publish a new version of it instead.", "slug_taken")


@transaction.atomic
def create_agent(
    *,
    organisation: Organisation,
    slug: str,
    card: AgentCard,
    draft: VersionDraft,
    actor: Actor,
    status: str = Status.ACTIVE.value,
    note: str = "",
) -> Published:
    """The agent with its version 1. Raises InvalidAgent, SlugTaken. Two audit entries."""
    if Agent.objects.filter(organisation=organisation, slug=slug).exists():
        raise SlugTaken(slug)
    agent = Agent(organisation=organisation, slug=slug, status=status, **card.values())
    _check_card(agent)
    try:
        with transaction.atomic():
            agent.save()
    except IntegrityError:  # somebody else has made it in this moment
        raise SlugTaken(slug) from None
    audit.record(
        organisation=organisation,
        actor=actor,
        verb="agents.agent.created",
        target=agent,
        after={"slug": slug, "status": status, **card.values()},
    )
    return publish_version(agent=agent, draft=draft, actor=actor, note=note)


@transaction.atomic
def update_agent(*, agent: Agent, card: AgentCard, actor: Actor) -> Agent:
    """Change what is not versioned. Raises InvalidAgent. One lock (the agent); an entry only if something changed."""
    agent = _locked(agent)
    before, after = audit.changes(AgentCard.of(agent).values(), card.values())
    if not after:
        return agent
    for name, value in after.items():
        setattr(agent, name, value)
    _check_card(agent)
    agent.save(update_fields=[*after, "updated_at"])
    audit.record(
        organisation=agent.organisation,
        actor=actor,
        verb="agents.agent.changed",
        target=agent,
        before=before,
        after=after,
    )
    _tell(agent)
    return agent


@transaction.atomic
def publish_version(
    *, agent: Agent, draft: VersionDraft, actor: Actor, note: str = "", confirmed: bool = True
) -> Published:
    """Make `draft` the current version. Raises InvalidAgent with every fault. One lock (the agent).

    Workflows that follow the latest use it from their next run on; running ones keep theirs. Unless `confirmed`, one
    that breaks the contract for them raises BreaksWorkflows instead.
    """
    agent = _locked(agent)
    draft = completed(draft)
    if faults := draft_faults(agent.organisation, draft):
        raise InvalidAgent(faults)
    current = agent.current
    if current is not None and VersionDraft.of(current) == draft:
        return Published(version=current, created=False, advice=advice(agent.organisation, draft))
    breaking = compare(current, draft)
    if breaking and not confirmed and (relying := relying_on(agent)):
        raise BreaksWorkflows(agent, breaking, relying)
    version = AgentVersion.objects.create(
        agent=agent, number=_next_number(agent), note=note, published_by=actor.user, **draft.values()
    )
    agent.current = version
    agent.save(update_fields=["current", "updated_at"])
    audit.record(
        organisation=agent.organisation,
        actor=actor,
        verb="agents.version.published",
        target=agent,
        before={"version": current.number if current else None},
        after={"version": version.number},
        data={"kind": version.kind, "note": note, "breaking": [str(change) for change in breaking]},
    )
    _tell(agent)
    return Published(version=version, created=True, breaking=breaking, advice=advice(agent.organisation, draft))


def compare(current: AgentVersion | None, draft: VersionDraft) -> list[Change]:
    """The breaking changes of the draft's contract against the current version's."""
    if current is None:
        return []
    old = Contract(current.input_schema, current.output_schema)
    return breaking_changes(old, Contract(draft.input_schema, draft.output_schema))


@transaction.atomic
def restore_version(*, version: AgentVersion, actor: Actor) -> Published:
    """Publish again what an earlier version said, as a new version: history is never rewritten."""
    return publish_version(
        agent=version.agent, draft=VersionDraft.of(version), actor=actor, note=f"Back to version {version.number}"
    )


@transaction.atomic
def set_status(*, agent: Agent, status: str, actor: Actor, replaced_by: Agent | None = None) -> Agent:
    """Activate, deprecate (with or without a replacement) or take offline.

    Raises Conflict for an impossible replacement.
    Offline agents are refused by the engine within a second, running nodes end as they would.
    """
    agent = _locked(agent)
    if status not in Status.values:
        raise InvalidAgent([Fault("$.status", f"must be one of {', '.join(Status.values)}")])
    if status in (Status.ACTIVE, Status.BETA):
        replaced_by = None
    if replaced_by is not None:
        _check_replacement(agent, replaced_by)
    now = {"status": status, "replaced_by": replaced_by.slug if replaced_by else None}
    then = {"status": agent.status, "replaced_by": agent.replaced_by.slug if agent.replaced_by else None}
    before, after = audit.changes(then, now)
    if not after:
        return agent
    agent.status, agent.replaced_by = status, replaced_by
    agent.save(update_fields=["status", "replaced_by", "updated_at"])
    audit.record(
        organisation=agent.organisation,
        actor=actor,
        verb="agents.agent.status_changed",
        target=agent,
        before=before,
        after=after,
    )
    _tell(agent)
    return agent


def _check_replacement(agent: Agent, replacement: Agent) -> None:
    if replacement.organisation_id != agent.organisation_id:
        raise Conflict("The replacement must be an agent of the same organisation.", "bad_replacement")
    if replacement.status == Status.OFFLINE:
        raise Conflict(f"“{replacement}” is offline itself and cannot replace anything.", "bad_replacement")
    seen, follower = {agent.pk}, replacement
    while follower is not None:
        if follower.pk in seen:
            raise Conflict(f"“{replacement}” is in the end replaced by “{agent}” itself.", "bad_replacement")
        seen.add(follower.pk)
        follower = follower.replaced_by  # type: ignore[assignment]


def _check_card(agent: Agent) -> None:
    faults = [
        fault for name in ("skills", "input_types", "output_types", "tags") for fault in _word_faults(agent, name)
    ]
    try:
        agent.clean_fields(exclude=["organisation", "current", "replaced_by", "search"])
    except ValidationError as error:
        faults += [Fault(f"$.{name}", " ".join(texts)) for name, texts in error.message_dict.items()]
    if faults:
        raise InvalidAgent(faults)


def _word_faults(agent: Agent, name: str) -> list[Fault]:
    words: Any = getattr(agent, name)
    if not isinstance(words, list) or len(words) > MOST_WORDS:
        return [Fault(f"$.{name}", f"must be a list of at most {MOST_WORDS} words")]
    wrong = [
        i for i, word in enumerate(words) if not isinstance(word, str) or not 0 < len(word.strip()) <= LONGEST_WORD
    ]
    return [Fault(f"$.{name}[{i}]", f"must be text of 1 to {LONGEST_WORD} characters") for i in wrong]


def _locked(agent: Agent) -> Agent:
    return (
        Agent.objects.select_for_update(of=("self",))
        .select_related("organisation", "current", "replaced_by")
        .get(pk=agent.pk)
    )


def _next_number(agent: Agent) -> int:
    """Safe under the agent's lock."""
    last = AgentVersion.objects.filter(agent=agent).values_list("number", flat=True).order_by("-number").first()
    return (last or 0) + 1


def _tell(agent: Agent) -> None:
    """This process and the open pages learn of a change once it is committed; other hosts within a second."""
    transaction.on_commit(lambda: snapshots.forget(agent.organisation_id, agent.slug))
    live.hint(agent.organisation_id, "agents")
