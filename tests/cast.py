"""The people of the tests: one for each role of an organisation, a superuser, and strangers from elsewhere."""

from dataclasses import dataclass

from portal.core.models import Organisation, User
from portal.core.permissions import BUILT_IN_ROLES
from tests.factories import make_member, make_organisation, make_user


@dataclass(frozen=True)
class Cast:
    """`by_role["viewer"]` and so on; `stranger` is an administrator, but of `elsewhere`; `homeless` is in neither."""

    organisation: Organisation
    elsewhere: Organisation
    by_role: dict[str, User]
    superuser: User
    stranger: User
    homeless: User

    @property
    def admin(self) -> User:
        return self.by_role["admin"]

    @property
    def viewer(self) -> User:
        return self.by_role["viewer"]


def make_cast() -> Cast:
    organisation, elsewhere = make_organisation("acme", "Acme"), make_organisation("elsewhere", "Elsewhere")
    return Cast(
        organisation=organisation,
        elsewhere=elsewhere,
        by_role={role.slug: make_member(organisation, role.slug, username=role.slug) for role in BUILT_IN_ROLES},
        superuser=make_user("superuser", is_superuser=True),
        stranger=make_member(elsewhere, "admin", username="stranger"),
        homeless=make_user("homeless"),
    )
