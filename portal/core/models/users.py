"""People."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person who signs in. What they may do lives in `Membership`; `is_superuser` runs the whole installation.

    `is_staff` of Django is not asked anywhere: the admin site is opened by permissions (`portal.core.admin_site`).
    """

    last_organisation = models.ForeignKey(
        "core.Organisation", null=True, blank=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )

    class Meta(AbstractUser.Meta):
        pass

    @property
    def display_name(self) -> str:
        return self.get_full_name() or self.username
