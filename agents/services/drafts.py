"""A version before it is published: its values, and everything that is wrong with them, at once."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from typing import Any

from agents.contract_schemas import schema_faults
from agents.contracts import Fault
from agents.fault_words import TYPES
from agents.kinds.base import AgentKind, agent_kind, agent_kinds, config_faults
from agents.models import AgentVersion, Backoff, default_retry
from agents.models.versions import LONGEST_TIMEOUT_SECONDS
from portal.core.errors import UserError
from portal.core.models import Organisation

JSON = Any
MOST_ATTEMPTS = 20


class InvalidAgent(UserError):
    """Each fault's path begins at the agent's JSON form: $.input_schema.properties.age.type. `problems`: as JSON."""

    status = 422

    def __init__(self, faults: list[Fault], what: str = "The agent") -> None:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(f"{what} cannot be saved: {faults[0]}{more}.", "invalid_agent")
        self.faults = faults
        self.problems = [{"code": "invalid_agent", **fault.as_json()} for fault in faults]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDraft:
    """The fields of `AgentVersion` that a person chooses. Schemas left empty are the kind's own, where it has any."""

    kind: str
    config: Mapping[str, JSON]
    input_schema: Mapping[str, JSON] = field(default_factory=dict)
    output_schema: Mapping[str, JSON] = field(default_factory=dict)
    max_concurrency: int | None = None
    timeout_seconds: int = 120
    retry: Mapping[str, JSON] = field(default_factory=default_retry)
    cost_per_run_usd: Decimal | None = None

    @classmethod
    def of(cls, version: AgentVersion) -> "VersionDraft":
        return cls(**{name: getattr(version, name) for name in cls.__dataclass_fields__})

    def values(self) -> dict[str, JSON]:
        return asdict(self)


def completed(draft: VersionDraft) -> VersionDraft:
    """The draft with the usual retry policy and the schemas that its kind fixes, where it does not say."""
    draft = replace(draft, retry={**default_retry(), **draft.retry})
    kind = agent_kinds().get(draft.kind)
    if kind is None or config_faults(kind, dict(draft.config)):
        return draft
    own = kind.contract(kind.Config.model_validate(dict(draft.config)))
    if own is None:
        return draft
    inputs, outputs = own
    return replace(draft, input_schema=draft.input_schema or inputs, output_schema=draft.output_schema or outputs)


def draft_faults(organisation: Organisation, draft: VersionDraft) -> list[Fault]:
    """Empty when the draft can be published. Costs the queries of the kind's `check`."""
    return [
        *_kind_faults(organisation, draft),
        *_under("input_schema", schema_faults(draft.input_schema)),
        *_under("output_schema", schema_faults(draft.output_schema)),
        *_limit_faults(draft),
    ]


def advice(organisation: Organisation, draft: VersionDraft) -> list[str]:
    """What is still to be done before the draft can run; only of one without faults."""
    kind = agent_kind(draft.kind)
    return kind.advice(organisation, kind.Config.model_validate(dict(draft.config)))


def _kind_faults(organisation: Organisation, draft: VersionDraft) -> list[Fault]:
    kind = agent_kinds().get(draft.kind)
    if kind is None:
        return [Fault("$.kind", f"must be one of {', '.join(agent_kinds())}, but is “{draft.kind}”")]
    return _under("config", config_faults(kind, dict(draft.config)) or _checked(kind, organisation, draft))


def _checked(kind: AgentKind, organisation: Organisation, draft: VersionDraft) -> list[Fault]:
    if schema_faults(draft.input_schema):
        return []  # told by themselves; the kind may rely on a sound schema
    return kind.check(organisation, kind.Config.model_validate(dict(draft.config)), draft.input_schema)


def _under(name: str, faults: list[Fault]) -> list[Fault]:
    return [Fault(f"$.{name}{fault.path.removeprefix('$')}", fault.message) for fault in faults]


def _limit_faults(draft: VersionDraft) -> Iterator[Fault]:
    if not _whole(draft.timeout_seconds, 1, LONGEST_TIMEOUT_SECONDS):
        yield Fault("$.timeout_seconds", f"must be {TYPES['integer']} from 1 to {LONGEST_TIMEOUT_SECONDS}")
    if draft.max_concurrency is not None and not _whole(draft.max_concurrency, 1, 10_000):
        yield Fault("$.max_concurrency", f"must be {TYPES['integer']} from 1 to 10000, or empty for no limit")
    if draft.cost_per_run_usd is not None and draft.cost_per_run_usd < 0:
        yield Fault("$.cost_per_run_usd", "must not be negative")
    yield from _retry_faults(draft.retry)


def _retry_faults(retry: Mapping[str, JSON]) -> Iterator[Fault]:
    for name in sorted(retry.keys() - default_retry().keys()):
        yield Fault(f"$.retry.{name}", f"is not known here; known are {', '.join(default_retry())}")
    if not _whole(retry.get("max_attempts", 1), 1, MOST_ATTEMPTS):
        yield Fault("$.retry.max_attempts", f"must be {TYPES['integer']} from 1 to {MOST_ATTEMPTS}")
    if retry.get("backoff", Backoff.FIXED) not in Backoff.values:
        yield Fault("$.retry.backoff", f"must be one of {', '.join(Backoff.values)}")
    seconds = retry.get("initial_seconds", 0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= 3600:
        yield Fault("$.retry.initial_seconds", "must be a number from 0 to 3600")


def _whole(value: JSON, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
