"""Agents for tests, with keyword defaults; made by the product's own services."""

from typing import Any

from agents.services import AgentCard, Published, VersionDraft, create_agent
from portal.core.actors import Actor
from portal.core.models import Organisation, Role, User
from portal.core.services import organisations

OBJECT: dict[str, Any] = {"type": "object", "properties": {}}


def organisation(slug: str = "acme") -> Organisation:
    """With its first administrator, whom every organisation must have."""
    org = organisations.create_organisation(slug=slug, name=slug.title(), actor=Actor.command())
    member(org, "admin", username=f"{slug}-founder")
    return org


def member(org: Organisation, role: str = "viewer", username: str = "") -> User:
    user = User(username=username or f"{org.slug}-{role}")
    user.set_unusable_password()  # tests sign in without one, and hashing is slow by design
    organisations.save_user(user=user, actor=Actor.command())
    given = Role.objects.get(organisation=org, slug=role)
    organisations.add_member(organisation=org, user=user, roles=[given], actor=Actor.command())
    return user


def schema(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def python_draft(name: str = "echo", **values: Any) -> VersionDraft:
    return VersionDraft(**{"kind": "python", "config": {"callable": name}, **values})


def llm_draft(**values: Any) -> VersionDraft:
    config = {"system": "You summarise.", "user": "Summarise {{ input.document }}", **values.pop("config", {})}
    defaults: dict[str, Any] = {
        "kind": "llm",
        "config": config,
        "input_schema": schema(("document",), document={"type": "string", "title": "Document"}),
        "output_schema": schema(("text",), text={"type": "string"}),
    }
    return VersionDraft(**{**defaults, **values})


def http_draft(url: str, **values: Any) -> VersionDraft:
    config = {"url": url, **values.pop("config", {})}
    defaults: dict[str, Any] = {
        "kind": "http",
        "config": config,
        "input_schema": OBJECT,
        "output_schema": {"type": "object"},
    }
    return VersionDraft(**{**defaults, **values})


def agent(org: Organisation, slug: str = "echo", draft: VersionDraft | None = None, **card: Any) -> Published:
    status = card.pop("status", "active")
    return create_agent(
        organisation=org,
        slug=slug,
        card=AgentCard(**{"name": slug.replace("-", " ").capitalize(), **card}),
        draft=draft or python_draft(),
        actor=Actor.command(),
        status=status,
    )
