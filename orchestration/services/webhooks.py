"""Calls that webhooks receive: is it the sender, is it new, is it not too much; then the trigger fires.

Whoever does not hold the secret learns nothing: a wrong path and a wrong signature get the same answer. The trigger's
history tells its owners what was refused and why, one row a minute and reason, however many calls there are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from django.db import transaction
from django.db.models import F

from orchestration.definition.canonical import digest
from orchestration.models import Trigger, TriggerFire, WebhookSeen
from orchestration.services import firing, triggers
from orchestration.services.firing import Occasion, Outcome
from orchestration.triggers import signatures
from orchestration.triggers.settings import WebhookSettings
from orchestration.triggers.signatures import Proof, Scheme
from portal.core import clock
from portal.core.errors import Conflict, UserError
from portal.core.services import secrets

JSON = Any

LARGEST_BYTES = 1024 * 1024
_WINDOW = timedelta(minutes=1)
_NOBODY = "a secret that signs nothing, compared so that a wrong path takes as long as a wrong signature"
_KEPT_BACK = frozenset({"authorization", "cookie", "proxy-authorization"})


class NoSuchWebhook(UserError):
    """404 for a wrong path and for a wrong signature alike."""

    status = 404

    def __init__(self) -> None:
        super().__init__(
            "There is no such webhook, or its signature is missing or wrong. The history of the trigger says which.",
            code="no_such_webhook",
        )


class StaleCall(UserError):
    def __init__(self, seconds: float, window: int) -> None:
        super().__init__(
            f"The timestamp is {abs(seconds):.0f} seconds {'ahead of' if seconds < 0 else 'behind'} the portal's "
            f"clock, and {window} are the most. Sign each request anew, and set the sender's clock.",
            code="stale",
        )


class RepeatedCall(Conflict):
    def __init__(self) -> None:
        super().__init__(
            "This signature was used before. To try again, sign anew and send the same Idempotency-Key.",
            code="repeated",
        )


class KeyOfAnother(Conflict):
    """The Idempotency-Key has started a run before, by a call that said something else."""

    def __init__(self, key: str, fired: TriggerFire) -> None:
        run = f"run {fired.run_id}" if fired.run_id else "a run that has been deleted since"
        super().__init__(
            f"The Idempotency-Key {key!r} has started {run} at {fired.at:%Y-%m-%d %H:%M:%S} UTC by a call with another "
            "body or query. Send the same again to be told of that run, or a new key to start another.",
            code="idempotency_conflict",
            fire=str(fired.pk),
            run=str(fired.run_id) if fired.run_id else None,
        )


class SwitchedOff(Conflict):
    def __init__(self) -> None:
        super().__init__("This webhook is switched off.", code="switched_off")


class TooManyCalls(UserError):
    status = 429
    retry_after = 60

    def __init__(self, message: str) -> None:
        super().__init__(message, code="too_many_calls")


class UnreadableBody(UserError):
    def __init__(self, problem: str) -> None:
        super().__init__(f"The body is said to be JSON and is not: {problem}.", code="invalid_json")


class CannotStart(UserError):
    """The call was in order, and no run could be made of it. `problems` name the inputs."""

    status = 422

    def __init__(self, fired: TriggerFire) -> None:
        super().__init__(fired.reason, code="cannot_start", fire=str(fired.pk))
        self.problems = fired.problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What came in, before anything of it is believed."""

    organisation: str
    path: str
    headers: Mapping[str, str]
    """Whatever the case of the names."""
    query: Mapping[str, str]
    body: bytes
    address: str = ""


def receive(call: Call) -> tuple[TriggerFire, bool]:
    """The fire with its run, and whether it is new. Raises the errors above."""
    trigger = _trigger(call)
    settings = WebhookSettings.model_validate(trigger.settings if trigger else {})
    claimed = signatures.proof(settings.scheme, call.headers)
    secret, unreadable = _secret(trigger)
    genuine = signatures.holds(secret, call.body, claimed or Proof("0" * 64, 0)) and not unreadable
    if trigger is None:
        raise NoSuchWebhook
    now = clock.database_now()
    if not genuine or claimed is None:
        why = unreadable or ("The signature does not match." if claimed else _missing(settings))
        _refuse(trigger, call, now, "signature", why)
        raise NoSuchWebhook
    try:
        _admit(trigger, settings, claimed, now)
        return _fire(trigger, call, claimed, now)
    except (StaleCall, RepeatedCall, KeyOfAnother, SwitchedOff, TooManyCalls, UnreadableBody) as error:
        _refuse(trigger, call, now, error.code, error.message)
        raise


def _trigger(call: Call) -> Trigger | None:
    found = Trigger.objects.select_related("organisation", "workflow").filter(
        path=call.path, kind=Trigger.Kind.WEBHOOK, organisation__slug=call.organisation, organisation__is_active=True
    )
    return found.first()


def _secret(trigger: Trigger | None) -> tuple[str, str]:
    """The secret, and why it cannot be read if it cannot."""
    if trigger is None:
        return _NOBODY, ""
    try:
        return secrets.read(trigger.organisation, triggers.secret_name(trigger)), ""
    except (secrets.SecretMissing, secrets.SecretUnreadable):
        return _NOBODY, "Its secret is gone or cannot be read. Make a new one here, and give it to the sender."


def _missing(settings: WebhookSettings) -> str:
    if settings.scheme is Scheme.GITHUB:
        return f"The header {signatures.GITHUB_SIGNATURE} is missing or no signature."
    return f"The headers {signatures.TIMESTAMP} and {signatures.SIGNATURE} are missing or not of their form."


def _admit(trigger: Trigger, settings: WebhookSettings, claimed: Proof, now: datetime) -> None:
    if not trigger.enabled:
        raise SwitchedOff
    if claimed.timestamp is not None:
        late = now.timestamp() - claimed.timestamp
        if abs(late) > settings.window_seconds:
            raise StaleCall(late, settings.window_seconds)
    recent = TriggerFire.objects.filter(trigger=trigger, at__gt=now - _WINDOW).exclude(outcome=Outcome.REFUSED)
    if recent[: settings.per_minute].count() >= settings.per_minute:
        raise TooManyCalls(f"More than {settings.per_minute} calls within a minute. Wait and send it again.")


@transaction.atomic
def _fire(trigger: Trigger, call: Call, claimed: Proof, now: datetime) -> tuple[TriggerFire, bool]:
    """The signature is used up, and the run started, in one transaction: after a crash neither is true."""
    _, new = WebhookSeen.objects.get_or_create(trigger=trigger, digest=claimed.digest)
    if not new:
        raise RepeatedCall
    given = _header(call, "Idempotency-Key")[:150]
    key = f"key:{given}" if given else f"call:{claimed.digest}"
    names = _names(call)
    said = digest([names["body"], names["query"]]) if given else ""
    known = TriggerFire.objects.filter(trigger=trigger, key=key).first()
    if known is not None and known.outcome == Outcome.STARTED:
        if known.said and known.said != said:
            raise KeyOfAnother(given, known)
        return known, False
    if known is not None:  # it started nothing, so trying again is what the key is for
        TriggerFire.objects.filter(pk=known.pk).update(key=f"{key}#{known.pk}")
    return firing.fire(trigger.pk, Occasion(key=key, at=now, names=names, address=call.address, said=said)), True


def _names(call: Call) -> dict[str, JSON]:
    headers = {name.lower(): value for name, value in call.headers.items() if name.lower() not in _KEPT_BACK}
    return {"body": _body(call), "query": dict(call.query), "headers": headers}


def _body(call: Call) -> JSON:
    """JSON as it is, a form as an object of texts (GitHub's `payload` as the JSON it holds), anything else as text."""
    kind = _header(call, "Content-Type").partition(";")[0].strip().lower()
    text = call.body.decode("utf-8", "replace")
    if kind == "application/x-www-form-urlencoded":
        form = {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}
        return _json(form["payload"]) if set(form) == {"payload"} else form
    if kind == "application/json" or kind.endswith("+json"):
        return _json(text) if text.strip() else None
    return text


def _json(text: str) -> JSON:
    try:
        return json.loads(text, parse_constant=_no_number, parse_float=_number)
    except (ValueError, RecursionError) as error:  # also of a whole number with thousands of digits
        raise UnreadableBody(str(error)) from None


def _no_number(word: str) -> JSON:
    raise ValueError(f"{word} is no number of JSON")


def _number(text: str) -> float:
    return number if math.isfinite(number := float(text)) else _no_number(text[:40])


def _header(call: Call, name: str) -> str:
    return next((value for key, value in call.headers.items() if key.lower() == name.lower()), "")


def _refuse(trigger: Trigger, call: Call, now: datetime, code: str, why: str) -> None:
    """One row a minute and reason: strangers cannot fill the history."""
    key = f"refused:{code}:{now:%Y-%m-%dT%H:%M}"
    _, new = TriggerFire.objects.get_or_create(
        trigger=trigger,
        key=key,
        defaults={"at": now, "outcome": Outcome.REFUSED, "reason": why[:500], "address": call.address},
    )
    if not new:
        TriggerFire.objects.filter(trigger=trigger, key=key).update(count=F("count") + 1)
