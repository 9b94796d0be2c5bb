"""Who may decide what. Pure: plain values in, an answer with its reason out."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Eligibility:
    allowed: bool
    reason: str
    """For the page and the ledger: the right by which a person decides, or why they may not."""


def eligibility(
    *, user_id: int, roles: Collection[str], may_decide: bool, assignee_user_id: int | None, assignee_role: str
) -> Eligibility:
    """Named to a person it is theirs alone; for a role, of its holders; for nobody, of all who may decide.

    `roles` are the slugs of the user's roles, `may_decide` whether they hold the permission `approvals.decide`.
    """
    if not may_decide:
        return Eligibility(False, "Your roles do not include the permission to decide approvals.")
    if assignee_user_id is not None:
        if assignee_user_id == user_id:
            return Eligibility(True, "it is assigned to you by name")
        return Eligibility(False, "It is assigned to another person.")
    if assignee_role:
        if assignee_role in roles:
            return Eligibility(True, f"you hold the role {assignee_role}")
        return Eligibility(False, f"It is for holders of the role {assignee_role}.")
    return Eligibility(True, "it is open to everybody who may decide approvals")
