"""What became of the mails that runs have ordered: their entries in the ledger of outside calls are closed.

Called by the jobs cluster, in the transaction that says of a mail that it was sent, refused, or cut off.
"""

from __future__ import annotations

import json
from uuid import UUID

from django.db import connection

from orchestration.store.effects import SETTLE
from portal.core.effects import Kind, Outcome
from portal.core.models import Mail
from portal.core.services.mail import on_end

_OUTCOMES = {
    Mail.State.SENT: Outcome.OK,
    Mail.State.FAILED: Outcome.FAILED,
    Mail.State.UNSURE: Outcome.UNKNOWN,
}


@on_end
def settle(mail: Mail) -> None:
    """Of `run/<id>/...` keys; other mails are no runs'."""
    prefix, _, rest = mail.key.partition("/")
    if prefix != "run":
        return
    response = {"tries": mail.attempts, **({"error": mail.error[:300]} if mail.error else {})}
    with connection.cursor() as cursor:
        cursor.execute(
            SETTLE,
            {
                "run": UUID(rest.partition("/")[0]),
                "kind": str(Kind.MAIL),
                "target": mail.address,
                "key": mail.key,
                "outcome": str(_OUTCOMES[Mail.State(mail.state)]),
                "response": json.dumps(response),
            },
        )
