"""Creating and changing model profiles. Audit entries name the secret of a key, never the key."""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from agents.models import ModelProfile
from portal.core import live
from portal.core.actors import Actor
from portal.core.errors import Conflict, UserError
from portal.core.models import Organisation
from portal.core.services import audit

PROFILE_FIELDS = (
    "description", "model", "api_base", "api_key_secret", "temperature", "max_tokens", "timeout_seconds",
    "input_price_usd", "output_price_usd", "fallbacks", "enabled", "is_default",
)  # fmt: skip


class InvalidProfile(UserError):
    """`errors`: {"field": ["sentence", ...]}."""

    def __init__(self, name: str, errors: dict[str, list[str]]) -> None:
        field, sentences = next(iter(errors.items()))
        super().__init__(f"The model profile “{name}” cannot be saved: {field}: {sentences[0]}", "invalid_profile")
        self.errors = errors


@transaction.atomic
def save_profile(*, organisation: Organisation, name: str, actor: Actor, **values: Any) -> ModelProfile:
    """Create the profile `name`, or change the given fields of it. A new default takes the mark from the old one.

    values: fields of `ModelProfile` besides organisation and name. Raises InvalidProfile. Locks all profiles of the
    organisation.
    """
    if unknown := values.keys() - set(PROFILE_FIELDS):
        raise TypeError(f"ModelProfile has no fields {sorted(unknown)}")
    others = {row.name: row for row in ModelProfile.objects.select_for_update().filter(organisation=organisation)}
    profile = others.pop(name, None) or ModelProfile(organisation=organisation, name=name)
    created = profile.pk is None
    before, after = audit.changes({} if created else _values(profile), {**_values(profile), **values})
    if not after and not created:
        return profile
    for field, value in values.items():
        setattr(profile, field, value)
    _check(profile, others)
    if profile.is_default:
        ModelProfile.objects.filter(organisation=organisation, is_default=True).exclude(pk=profile.pk).update(
            is_default=False
        )
    profile.save()
    audit.record(
        organisation=organisation,
        actor=actor,
        verb="agents.profile.created" if created else "agents.profile.changed",
        target=profile,
        before=None if created else before,
        after=after,
    )
    live.hint(organisation.pk, "agents")
    return profile


@transaction.atomic
def delete_profile(*, profile: ModelProfile, actor: Actor) -> None:
    """Raises Conflict while agents or other profiles name it."""
    if users := _named_by(profile):
        raise Conflict(f"The profile “{profile}” is used by {', '.join(users)}.", "profile_in_use")
    audit.record(
        organisation=profile.organisation,
        actor=actor,
        verb="agents.profile.deleted",
        target=profile,
        before=_values(profile),
    )
    profile.delete()


def _named_by(profile: ModelProfile) -> list[str]:
    from agents.models import Agent

    agents = Agent.objects.filter(
        organisation=profile.organisation, current__kind="llm", current__config__profile=profile.name
    )
    profiles = ModelProfile.objects.filter(organisation=profile.organisation, fallbacks__contains=[profile.name])
    return [f"the agent {one.slug}" for one in agents[:5]] + [f"the profile {one.name}" for one in profiles[:5]]


def _values(profile: ModelProfile) -> dict[str, Any]:
    return {field: getattr(profile, field) for field in PROFILE_FIELDS}


def _check(profile: ModelProfile, others: dict[str, ModelProfile]) -> None:
    try:
        profile.clean_fields(exclude=["organisation"])
    except ValidationError as error:
        raise InvalidProfile(profile.name, error.message_dict) from None
    if sentences := fallback_faults(profile.name, profile.fallbacks, others):
        raise InvalidProfile(profile.name, {"fallbacks": sentences})


def fallback_faults(name: str, fallbacks: Any, others: dict[str, ModelProfile]) -> list[str]:
    """Fallbacks must be other profiles of the organisation, and the chain must end."""
    if not isinstance(fallbacks, list) or not all(isinstance(one, str) for one in fallbacks):
        return ["must be a list of names of profiles"]
    unknown = [one for one in fallbacks if one not in others]
    if name in fallbacks:
        return ["must not name the profile itself"]
    if unknown:
        return [f"names no profile of this organisation: {', '.join(unknown)}"]
    return [f"go round in a circle through {one}" for one in fallbacks if _leads_to(name, one, others, frozenset())]


def _leads_to(goal: str, start: str, others: dict[str, ModelProfile], seen: frozenset[str]) -> bool:
    following: Sequence[str] = others[start].fallbacks if start in others else []
    if goal in following:
        return True
    return any(_leads_to(goal, one, others, seen | {start}) for one in following if one not in seen)
