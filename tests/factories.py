"""Rows for tests, with keyword defaults; each app adds its own below its heading. Everything else of a test is real."""

import itertools
from collections.abc import Sequence
from typing import Any

from portal.core.actors import Actor
from portal.core.models import Membership, Organisation, Role, User
from portal.core.services import organisations, tokens
from portal.core.services.tokens import NewToken

PASSWORD = "correct horse battery"
_numbers = itertools.count(1)

# -- core -------------------------------------------------------------------------------------------------------------


def make_organisation(slug: str = "", name: str = "", **fields: Any) -> Organisation:
    """With its built-in roles."""
    slug = slug or f"org-{next(_numbers)}"
    organisation = Organisation.objects.create(slug=slug, name=name or slug.title(), **fields)
    organisations.add_built_in_roles(organisation)
    return organisation


def make_user(username: str = "", *, password: str = "", **fields: Any) -> User:
    """Without `password` the user can only be signed in by `client.force_login`: hashing is slow."""
    user = User(username=username or f"user-{next(_numbers)}", **fields)
    if password:
        user.set_password(password)
    else:
        user.set_unusable_password()
    user.save()
    return user


def role_of(organisation: Organisation, slug: str) -> Role:
    return Role.objects.get(organisation=organisation, slug=slug)


def make_member(
    organisation: Organisation, *roles: str, user: User | None = None, username: str = "", password: str = ""
) -> User:
    """A user with the built-in roles of these slugs."""
    user = user or make_user(username, password=password)
    membership, _ = Membership.objects.get_or_create(organisation=organisation, user=user)
    membership.roles.add(*(role_of(organisation, slug) for slug in roles))
    return user


def make_token(organisation: Organisation, user: User, scopes: Sequence[str] = (), **more: Any) -> NewToken:
    return tokens.create_token(
        organisation=organisation, user=user, name="test", scopes=scopes, actor=Actor.command(), **more
    )


def bearer(token: NewToken) -> dict[str, str]:
    """`client.get(url, headers=bearer(token))`"""
    return {"Authorization": f"Bearer {token.text}"}
