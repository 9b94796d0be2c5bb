"""What an empty database starts with. Apps register their steps in `AppConfig.ready`; a lower order runs earlier."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection, transaction

from portal.core.actors import Actor
from portal.core.models import Organisation, Role, User
from portal.core.services import organisations

DEMO_SLUG = "demo"


@dataclass(frozen=True)
class Login:
    """`password` is known only here and now."""

    username: str
    password: str
    organisation: str
    role: str


@dataclass(frozen=True)
class Step:
    """`run(organisation, demo)` fills one subject and may be called again without harm; `demo`: samples are wanted."""

    name: str
    run: Callable[[Organisation, bool], None]
    order: int


_steps: dict[str, Step] = {}


def register(name: str, run: Callable[[Organisation, bool], None], *, order: int = 100) -> None:
    """Agents come at 10 (their catalogue), workflows, which name agents, at 20."""
    _steps[name] = Step(name, run, order)


def seed(demo: bool) -> list[Login]:
    """Fill a database without users, and say the logins once; [] when there are users already.

    Two processes at once: the second waits for the first and then finds users.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('core.seed', 0))")
        if User.objects.exists():
            return []
        actor = Actor.command()
        organisation = organisations.create_organisation(slug=DEMO_SLUG, name="Demo", actor=actor)
        logins = [
            _add("admin", organisation, "admin", actor, superuser=True),
            _add("approver", organisation, "approver", actor),
        ]
        fill(organisation, demo)
    return logins


def fill(organisation: Organisation, demo: bool) -> None:
    """Run every app's step for one organisation; `manage.py demo` repeats it on an existing one."""
    for step in sorted(_steps.values(), key=lambda step: step.order):
        step.run(organisation, demo)


def _add(username: str, organisation: Organisation, role: str, actor: Actor, superuser: bool = False) -> Login:
    password = secrets.token_urlsafe(12)
    user = User(username=username, is_superuser=superuser, is_staff=superuser)
    user.set_password(password)
    organisations.save_user(user=user, actor=actor)
    given = Role.objects.get(organisation=organisation, slug=role)
    organisations.add_member(organisation=organisation, user=user, roles=[given], actor=actor)
    return Login(username, password, organisation.slug, role)
