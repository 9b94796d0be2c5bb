"""Who may decide what: the rule alone."""

import pytest

from approvals.eligibility import eligibility

CASES = [
    # may_decide, roles, assignee_user, assignee_role, allowed
    (True, {"approver"}, None, "approver", True),
    (True, {"approver"}, None, "legal", False),
    (True, set(), 7, "", True),
    (True, {"approver"}, 8, "approver", False),  # a name beats the role
    (True, set(), None, "", True),
    (False, {"approver"}, None, "approver", False),
    (False, set(), 7, "", False),
]


@pytest.mark.parametrize(("may_decide", "roles", "assignee_user", "assignee_role", "allowed"), CASES)
def test_a_request_is_for_its_person_or_its_role_or_everybody_who_may_decide(
    may_decide: bool, roles: set[str], assignee_user: int | None, assignee_role: str, allowed: bool
) -> None:
    answer = eligibility(
        user_id=7, roles=roles, may_decide=may_decide, assignee_user_id=assignee_user, assignee_role=assignee_role
    )
    assert answer.allowed is allowed
    assert answer.reason
