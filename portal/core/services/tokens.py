"""API tokens: made once, shown once, kept as a hash.

Form: `ens_<prefix>_<secret>`, 8 and 43 characters; the prefix finds the row, SHA-256 is enough for 256 random bits.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.crypto import constant_time_compare

from portal.core import access, clock
from portal.core.actors import Actor
from portal.core.errors import NotAllowed, UserError
from portal.core.models import ApiToken, Organisation, User
from portal.core.permissions import ALL
from portal.core.prepared import Prepared
from portal.core.services import audit

_USED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class NewToken:
    """`text` is what the caller must copy now; it cannot be had again."""

    token: ApiToken
    text: str


@transaction.atomic
def create_token(
    *,
    organisation: Organisation,
    user: User,
    name: str,
    actor: Actor,
    scopes: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> NewToken:
    """Raises UserError for an unknown scope or a past expiry, NotAllowed for a scope beyond the user's own rights."""
    unknown = sorted(set(scopes) - ALL)
    if unknown:
        raise UserError(f"Unknown scope {unknown[0]!r}. Scopes are: {', '.join(sorted(ALL))}.", "unknown_scope")
    beyond = sorted(set(scopes) - access.permissions_of(user, organisation))
    if beyond:
        raise NotAllowed(f"{user.username} does not have the right {beyond[0]!r} in {organisation}.", "beyond_rights")
    if expires_at is not None and expires_at <= clock.now():
        raise UserError("The expiry must lie in the future.", "past_expiry")
    prefix = secrets.token_hex(4)
    text = f"ens_{prefix}_{secrets.token_urlsafe(32)}"
    token = ApiToken.objects.create(
        organisation=organisation,
        user=user,
        name=name,
        prefix=prefix,
        digest=_digest(text),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    audit.record(
        organisation=organisation,
        actor=actor,
        verb="core.token.created",
        target=token,
        after={"name": name, "user": user.username, "scopes": token.scopes, "expires_at": expires_at},
    )
    return NewToken(token, text)


@transaction.atomic
def revoke_token(*, token: ApiToken, actor: Actor) -> None:
    """Revoking twice is harmless."""
    row = ApiToken.objects.select_for_update().get(pk=token.pk)
    if row.revoked_at is None:
        row.revoked_at = clock.now()
        row.save(update_fields=["revoked_at"])
        audit.record(organisation=row.organisation, actor=actor, verb="core.token.revoked", target=row)


def authenticate(text: str) -> ApiToken | None:
    """The live token with its user and organisation, or None. One query, and a write a minute at most."""
    parts = text.split("_", 2)
    if len(parts) != 3 or parts[0] != "ens":
        return None
    token = _BY_PREFIX.first(parts[1])
    # An unknown prefix costs the same comparison as a wrong secret.
    matches = constant_time_compare(_digest(text), token.digest if token else _digest(""))
    now = clock.now()
    if token is None or not matches or token.state(now) != "active":
        return None
    if not token.user.is_active or not token.organisation.is_active:
        return None
    if token.last_used_at is None or now - token.last_used_at > _USED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


_BY_PREFIX = Prepared(lambda prefix: ApiToken.objects.select_related("user", "organisation").filter(prefix=prefix))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
