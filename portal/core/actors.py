"""Who acts. Services take an `Actor`, so that the ledger can say who, from where and by which door."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from django.http import HttpRequest

    from portal.core.models import User

Channel = Literal["web", "api", "cli", "engine", "admin"]


@dataclass(frozen=True)
class Actor:
    """`user` is None when the portal itself acts; `label` is what the ledger shows for ever."""

    user: "User | None"
    label: str
    channel: Channel
    address: str | None = None
    request_id: str | None = None

    @classmethod
    def of(cls, request: "HttpRequest", channel: Channel = "web") -> Self:
        """The signed-in user of a request, or the visitor before sign-in."""
        from portal.core.models import User

        known = getattr(request, "actor", None)
        if isinstance(known, cls):
            return known  # the API's authentication has set it
        return cls.on(request, request.user if isinstance(request.user, User) else None, channel)

    @classmethod
    def on(cls, request: "HttpRequest", user: "User | None", channel: Channel = "web", label: str = "") -> Self:
        """A user whom the request itself does not name (yet): at sign-in, by a token. None: a visitor."""
        return cls(
            user=user,
            label=label or (user.username if user else "visitor"),
            channel=channel,
            address=getattr(request, "address", None),
            request_id=getattr(request, "request_id", None),
        )

    @classmethod
    def engine(cls) -> Self:
        return cls(user=None, label="engine", channel="engine")

    @classmethod
    def command(cls, user: "User | None" = None) -> Self:
        """The command line: whoever can run it holds the database's password, so no user is needed."""
        return cls(user=user, label=user.username if user else "command line", channel="cli")
