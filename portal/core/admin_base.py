"""Base class of the admin pages of organisations' rows, for every app.

    @admin.register(Agent)
    class AgentAdmin(OrganisationAdmin):
        view_permission, change_permission = Permission.AGENTS_VIEW, Permission.AGENTS_MANAGE
        audit_noun = "agents.agent"

It shows only rows of organisations where the user has `view_permission`, lets them be changed where the user has
`change_permission`, offers only related rows of the same organisations (and refuses a mixture), writes the ledger, and
turns a UserError of a service, and what two people save at once, into an error of the form with the input kept. Where a
service does the saving, override `write` and `erase`; they run in the admin's transaction and write the ledger
themselves.
"""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import get_fields_from_path
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, models
from django.forms.models import model_to_dict
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.admin import ModelAdmin, TabularInline

from portal.core import access, problems
from portal.core.actors import Actor
from portal.core.errors import UserError
from portal.core.models import Organisation, User
from portal.core.permissions import Permission
from portal.core.services import audit


class ScopedForm(forms.ModelForm):
    """Refuses related rows of another organisation. Forms of `OrganisationAdmin` derive from it."""

    refusal: str | None = None  # set for one request by the admin, when a service has said no

    def organisations(self) -> Iterable[Organisation]:
        """The row's, or those that are offered for a new one."""
        if self.instance.pk:
            return [self.instance.organisation]
        field: Any = self.fields.get("organisation")
        return field.queryset if field else []

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.refusal:
            raise ValidationError(self.refusal)
        organisation = cleaned.get("organisation") or getattr(self.instance, "organisation", None)
        for name, value in list(cleaned.items()):
            rows = list(value) if isinstance(value, models.QuerySet) else [value]
            if any(_foreign(row, organisation) for row in rows):
                self.add_error(name, "This belongs to another organisation.")
        return cleaned


class ScopedRelatedFilter(admin.RelatedFieldListFilter):
    """Offers related rows of the user's organisations."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[tuple[Any, Any]]:
        return [(row.pk, str(row)) for row in model_admin.related(field, request)]


class OrganisationAdmin(ModelAdmin):
    """See the head of this file."""

    form = ScopedForm
    view_permission: Permission | None = None  # None: superusers only
    change_permission: Permission | None = None
    # Lookup from the row to its organisation.
    organisation_path = "organisation"
    # `app.noun` of the ledger's verbs: agents.agent gives agents.agent.changed.
    audit_noun = ""
    # Fields that must not be copied into the ledger.
    audit_without: tuple[str, ...] = ()
    list_filter_submit = True
    warn_unsaved_form = True
    compressed_fields = True

    # -- who may what ---------------------------------------------------------------------------------------------

    def organisations(self, request: HttpRequest, permission: Permission | None) -> list[Organisation]:
        """Where the user has the permission. Looked up once a request."""
        user = request.user
        everywhere: list[Organisation] | None = getattr(request, "_organisations", None)
        if everywhere is None:
            everywhere = request._organisations = access.organisations_of(user)  # type: ignore[attr-defined]
        if user.is_superuser:
            return everywhere
        return [one for one in everywhere if permission and access.can(user, one, permission)]

    def organisation_of(self, obj: models.Model) -> Organisation | None:
        value: Any = obj
        for name in self.organisation_path.split("__"):
            value = getattr(value, name, None)
        return value if isinstance(value, Organisation) else None

    def _may(self, request: HttpRequest, permission: Permission | None, obj: models.Model | None) -> bool:
        if not request.user.is_active:
            return False
        if request.user.is_superuser:
            return True
        found = self.organisations(request, permission)
        return bool(found) if obj is None else self.organisation_of(obj) in found

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self._may(request, self.view_permission, obj) or self.has_change_permission(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self._may(request, self.change_permission, None)

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self._may(request, self.change_permission, obj)

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self._may(request, self.change_permission, obj)

    # -- what is shown --------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows: models.QuerySet[Any] = super().get_queryset(request)
        if request.user.is_superuser:
            return rows
        visible = {
            *self.organisations(request, self.view_permission),
            *self.organisations(request, self.change_permission),
        }
        return rows.filter(**{f"{self.organisation_path}__in": visible})

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        """Filters offer rows and values of the user's organisations only. The organisation itself is only a filter
        where there is more than one."""
        several = len(self.organisations(request, self.view_permission or self.change_permission)) > 1
        return [
            one
            for one in map(self._scoped_filter, super().get_list_filter(request))
            if _is_local(self.model, one) or request.user.is_superuser
            if several or _name_of(one).rpartition("__")[2] != "organisation"
        ]

    def _scoped_filter(self, one: Any) -> Any:
        """A relation gets a filter that asks `related`; Django's own offers every row of the other table."""
        field = get_fields_from_path(self.model, one)[-1] if isinstance(one, str) else None
        return (one, ScopedRelatedFilter) if field is not None and field.is_relation else one

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.refusal = getattr(request, "_refusal", None)
        if not change and "organisation" in form.base_fields:
            known = self.organisations(request, self.change_permission)
            form.base_fields["organisation"].initial = known[0] if len(known) == 1 else _last(request, known)
        return form

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs.setdefault("queryset", self.related(db_field, request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs.setdefault("queryset", self.related(db_field, request))
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def related(self, db_field: Any, request: HttpRequest) -> models.QuerySet[Any]:
        """Rows one may point at or filter by: of the organisations where one may change, or at least see, such rows."""
        model = db_field.remote_field.model
        rows: models.QuerySet[Any] = model._default_manager.all()
        if request.user.is_superuser:
            return rows
        mine = self.organisations(request, self.change_permission) or self.organisations(request, self.view_permission)
        if model is Organisation:
            return rows.filter(pk__in=[one.pk for one in mine])
        if model is User:
            return rows.filter(memberships__organisation__in=mine).distinct()
        if any(field.name == "organisation" for field in model._meta.get_fields()):
            return rows.filter(organisation__in=mine)
        return rows

    # -- saving ---------------------------------------------------------------------------------------------------

    def write(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save the row and write the ledger."""
        stored = type(obj)._default_manager.filter(pk=obj.pk).first() if change else None
        obj.save()
        before, after = audit.changes(self._facts(stored), self._facts(obj))
        if before or after:
            self._record(request, obj, "changed" if change else "created", before if change else None, after)

    def erase(self, request: HttpRequest, obj: Any) -> None:
        """Delete the row and write the ledger."""
        self._record(request, obj, "deleted", self._facts(obj), None)
        obj.delete()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        # The queryset of the form has been narrowed already; this is the last word, whatever the form was told.
        organisation = self.organisation_of(obj)
        if organisation is not None and organisation not in self.organisations(request, self.change_permission):
            raise PermissionDenied("This organisation is not yours to change.")
        self.write(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.erase(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        for obj in queryset:
            if not self.has_delete_permission(request, obj):
                raise PermissionDenied(f"{obj} is not yours to delete.")
            self.erase(request, obj)

    def _record(self, request: HttpRequest, obj: Any, verb: str, before: Any, after: Any) -> None:
        audit.record(
            organisation=self.organisation_of(obj),
            actor=Actor.of(request, "admin"),
            verb=f"{self.audit_noun or obj._meta.label_lower}.{verb}",
            target=obj,
            before=before,
            after=after,
        )

    def _facts(self, obj: Any) -> dict[str, Any]:
        if obj is None:
            return {}
        names = [field.name for field in obj._meta.concrete_fields if field.name not in self.audit_without]
        values = model_to_dict(obj, fields=names)
        return {
            name: value.name if isinstance(value, models.fields.files.FieldFile) else value
            for name, value in values.items()
        }

    # -- a service says no ----------------------------------------------------------------------------------------

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except UserError as error:
            # The transaction is gone. Once more: the form now carries the sentence, and so comes back filled in.
            request._refusal = error.message  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, form_url, extra_context)
        except IntegrityError as error:
            if problems.clash(error) is None:
                raise
            # Somebody else was first, by a moment. The form's own checks see that now, and name the field.
            return super().changeform_view(request, object_id, form_url, extra_context)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except UserError as error:
            messages.error(request, error.message)
            return HttpResponseRedirect(request.path.removesuffix("delete/") + "change/")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        try:
            return super().changelist_view(request, extra_context)
        except UserError as error:
            messages.error(request, error.message)
            return HttpResponseRedirect(request.get_full_path())


class _ReadOnly:
    """Nobody adds, changes or deletes rows that only the portal writes."""

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class ReadOnlyAdmin(_ReadOnly, OrganisationAdmin):
    """Rows that only the portal writes."""


class ReadOnlyInline(_ReadOnly, TabularInline):
    """Rows that only the portal writes, on the page of what they belong to, whose gate has let the user in."""

    extra = 0
    max_num = 0
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return True


def _foreign(row: Any, organisation: Organisation | None) -> bool:
    other = getattr(row, "organisation", None) if isinstance(row, models.Model) else None
    return isinstance(other, Organisation) and organisation is not None and other != organisation


def _name_of(one: Any) -> str:
    """Of an entry of list_filter: "status", ("status", Filter) or a filter class without a field."""
    return str(one[0]) if isinstance(one, tuple) else one if isinstance(one, str) else ""


def _is_local(model: type[models.Model], one: Any) -> bool:
    """Whether a filter lists no values of other tables, which Django does not scope."""
    name = _name_of(one)
    if "__" not in name:
        return True
    field = get_fields_from_path(model, name)[-1]
    return bool(field.is_relation or getattr(field, "choices", None))


def _last(request: HttpRequest, known: list[Organisation]) -> Organisation | None:
    last = getattr(request.user, "last_organisation_id", None)
    return next((one for one in known if one.pk == last), None)
