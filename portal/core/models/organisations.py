"""Organisations, the roles in them, and who is a member with which roles."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.core.permissions import ADMIN_ROLE, Permission

_SLUG = RegexValidator(r"^[a-z0-9][a-z0-9-]*$", _("Use lower-case letters, digits and hyphens."))


class Organisation(models.Model):
    """The wall between customers: every row of every app belongs to exactly one."""

    slug = models.SlugField(
        max_length=50, unique=True, validators=[_SLUG], help_text=_("Part of every address: /o/<slug>/…")
    )
    name = models.CharField(max_length=120)
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("When off, its pages and its API answer as if it did not exist.")
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Role(models.Model):
    """A named set of permissions of one organisation."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="roles")
    slug = models.SlugField(max_length=50, validators=[_SLUG], help_text=_("Used by approvals and the command line."))
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=200, blank=True)
    permissions = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    built_in = models.BooleanField(default=False, editable=False)

    class Meta:
        ordering = ["organisation", "name"]
        constraints = [models.UniqueConstraint(fields=["organisation", "slug"], name="role_once_per_organisation")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_admin(self) -> bool:
        """The role that the last-admin rule guards."""
        return self.built_in and self.slug == ADMIN_ROLE

    def grants(self, permission: Permission) -> bool:
        return permission.value in self.permissions


class Membership(models.Model):
    """A user in an organisation. Rights are the union of the roles."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey("core.User", on_delete=models.CASCADE, related_name="memberships")
    roles = models.ManyToManyField(Role, related_name="memberships", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["organisation", "user"]
        constraints = [models.UniqueConstraint(fields=["organisation", "user"], name="member_once_per_organisation")]

    def __str__(self) -> str:
        return f"{self.user} in {self.organisation}"
