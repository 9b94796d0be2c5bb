"""The core's pages of the admin site. What other apps build on is in `portal.core.admin_base`."""

from portal.core.admin import keys, mails, members, organisations, people
from portal.core.admin_base import OrganisationAdmin, ReadOnlyAdmin, ScopedForm

__all__ = ["OrganisationAdmin", "ReadOnlyAdmin", "ScopedForm", "keys", "mails", "members", "organisations", "people"]
