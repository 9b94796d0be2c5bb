"""Deciding: the first decision wins and moves the run; everything else is refused and written down."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import ProgrammingError, connections

from approvals import queries
from approvals.models import ApprovalRequest, Decision
from approvals.services import decisions
from orchestration.services import runs
from portal.core.actors import Actor
from portal.core.models import AuditEntry, User
from tests.approvals.asking import approval, ask
from tests.cast import Cast
from tests.engine_host import EngineHost, make_definition, start, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def decide(asked: ApprovalRequest, user: User, option: str = "approve", **more: object) -> Decision:
    actor = Actor(user=user, label=user.username, channel="web")
    return decisions.decide(request=asked, user=user, actor=actor, option=option, **more)  # type: ignore[arg-type]


def test_a_decision_ends_the_wait_and_is_kept_with_its_right(engine: EngineHost, cast: Cast) -> None:
    asked = ask(engine, cast, approval(), {"amount": 7})
    assert (asked.title, asked.assignee_role) == ("Release 7?", "approver")
    assert asked.context == [{"label": "Amount", "value": {"amount": 7}, "format": "json"}]
    decision = decide(asked, cast.by_role["approver"], comment=" fine ")
    run = engine.wait_for(asked.run, "completed")
    assert run.outputs == {"by": "approver", "said": "fine"}
    assert decision.right == "you hold the role approver"
    entry = AuditEntry.objects.get(verb="approvals.request.decided")
    assert (entry.actor_label, entry.after["option"]) == ("approver", "approve")


def test_each_option_is_a_way_out(engine: EngineHost, cast: Cast) -> None:
    asked = ask(engine, cast, approval(), {"amount": 7})
    decide(asked, cast.by_role["approver"], "reject", comment="Too much.")
    assert engine.wait_for(asked.run, "failed").error["message"] == "Refused."


def test_of_many_deciding_at_once_one_wins_and_the_others_are_told_who(engine: EngineHost, cast: Cast) -> None:
    asked = ask(engine, cast, approval(), {"amount": 7})

    def attempt(number: int) -> str:
        try:
            decide(asked, cast.by_role["approver"], "approve" if number % 2 else "reject", comment="x")
            return "won"
        except decisions.AlreadyClosed as error:
            return error.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(12) as pool:
        outcomes = list(pool.map(attempt, range(12)))
    assert sorted(set(outcomes)) == ["already_decided", "won"]
    assert outcomes.count("won") == 1
    assert Decision.objects.filter(request=asked).count() == 1
    assert AuditEntry.objects.filter(verb="approvals.request.refused").count() == 11
    engine.wait_for(asked.run, "completed", "failed")


@pytest.mark.parametrize("role", ["viewer", "designer", "operator", "compliance-officer"])
def test_only_holders_of_the_role_decide(engine: EngineHost, cast: Cast, role: str) -> None:
    asked = ask(engine, cast, approval(), {"amount": 7})
    with pytest.raises(decisions.NotAnApprover):
        decide(asked, cast.by_role[role])
    refusal = AuditEntry.objects.get(verb="approvals.request.refused")
    assert refusal.data["code"] == "not_an_approver"
    assert ApprovalRequest.objects.get(pk=asked.pk).open


def test_what_was_shown_must_be_what_is_asked(engine: EngineHost, cast: Cast) -> None:
    asked = ask(engine, cast, approval(), {"amount": 7})
    with pytest.raises(decisions.Changed):
        decide(asked, cast.by_role["approver"], shown_digest="0" * 64)
    decide(asked, cast.by_role["approver"], shown_digest=queries.shown_digest(asked))


def test_a_comment_that_is_needed_and_an_unknown_option_are_asked_for(engine: EngineHost, cast: Cast) -> None:
    asked = ask(engine, cast, approval(), {"amount": 7})
    with pytest.raises(decisions.InvalidDecision, match="needs a comment"):
        decide(asked, cast.by_role["approver"], "reject")
    with pytest.raises(decisions.InvalidDecision, match="approve, reject"):
        decide(asked, cast.by_role["approver"], "maybe")


def test_cancelling_the_run_withdraws_the_request(engine: EngineHost, cast: Cast) -> None:
    asked = ask(engine, cast, approval(), {"amount": 7})
    runs.cancel_run(run=asked.run, actor=Actor.command())
    engine.wait_for(asked.run, "cancelled")
    withdrawn = ApprovalRequest.objects.get(pk=asked.pk)
    assert (withdrawn.status, withdrawn.closed_because) == ("withdrawn", "the run was cancelled")
    with pytest.raises(decisions.AlreadyClosed, match="No longer open"):
        decide(asked, cast.by_role["approver"])


def test_an_assignee_that_does_not_exist_is_a_failure_that_says_so(engine: EngineHost, cast: Cast) -> None:
    run = start(cast.organisation, approval(assignee={"role": "aprover"}), {"amount": 7})
    error = engine.wait_for(run, "failed").error
    assert (error["code"], "Did you mean 'approver'?" in error["message"]) == ("invalid_assignee", True)
    assert not ApprovalRequest.objects.filter(run=run).exists()


def test_a_name_beats_the_role(engine: EngineHost, cast: Cast) -> None:
    asked = ask(engine, cast, approval(assignee={"user": "compliance-officer", "role": "approver"}), {"amount": 7})
    with pytest.raises(decisions.NotAnApprover):
        decide(asked, cast.by_role["approver"])
    decide(asked, cast.by_role["compliance-officer"])


def test_decisions_cannot_be_rewritten(engine: EngineHost, cast: Cast) -> None:
    asked = ask(engine, cast, approval(), {"amount": 7})
    decision = decide(asked, cast.by_role["approver"])
    with pytest.raises(ProgrammingError):
        Decision.objects.filter(pk=decision.pk).update(option="reject")


def test_a_person_fills_in_a_form(engine: EngineHost, cast: Cast) -> None:
    fields = {"type": "object", "properties": {"price": {"type": "number", "minimum": 0}}, "required": ["price"]}
    definition = make_definition(
        [{"id": "price", "type": "human_input", "settings": {"title": "Price?", "fields": fields}}],
        outputs={"price": "{{ price.outputs.values.price }}"},
    )
    asked = ask(engine, cast, definition, {})
    with pytest.raises(decisions.InvalidDecision):
        decide(asked, cast.by_role["approver"], "out", values={"price": -1})
    decide(asked, cast.by_role["approver"], "out", values={"price": 12.5})
    assert engine.wait_for(asked.run, "completed").outputs == {"price": 12.5}
    wait_until(lambda: queries.count_waiting_for(cast.by_role["approver"], cast.organisation) == 0, 5, "an empty inbox")
