"""Running an agent once: what goes in and comes out keeps the contract, failures say whether another try may help."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from agents import services, snapshots
from agents.errors import AgentError
from agents.invocation import AgentReply, AgentRequest, invoke
from agents.models import Agent
from agents.snapshots import AgentSnapshot
from portal.core import clock
from portal.core.actors import Actor
from tests.agents import factories
from tests.agents.factories import schema

pytestmark = pytest.mark.django_db(transaction=True)


def in_database(function):
    """The function as a coroutine function, with a connection that is closed afterwards."""
    return lambda *args, **values: snapshots.in_database(lambda: function(*args, **values))


@pytest.fixture(autouse=True)
def fresh_snapshots():
    """Ids come again when tables are emptied between tests; in a real database they never do."""
    yield
    snapshots._heads.clear()
    snapshots._snapshots.clear()


@pytest.fixture
def org(transactional_db):
    return factories.organisation()


async def ask(org, agent="echo", inputs=None, **values) -> AgentReply:
    request = {"organisation_id": org.pk, "agent": agent, "inputs": inputs or {}, "idempotency_key": "r/n/0", **values}
    return await invoke(AgentRequest(**request))


async def refusal(org, agent="echo", inputs=None, **values) -> AgentError:
    with pytest.raises(AgentError) as caught:
        await ask(org, agent, inputs, **values)
    return caught.value


def unpublished(function: str) -> AgentSnapshot:
    config = {"callable": function}
    schemas: dict = {"input_schema": {}, "output_schema": {}}
    return AgentSnapshot(
        slug="draft", name="Draft", number=0, kind="python", config=config, timeout_seconds=5, **schemas
    )


async def test_echo_returns_its_inputs(org):
    await in_database(factories.agent)(org)
    reply = await ask(org, inputs={"a": [1, "two"]})
    assert reply.outputs == {"a": [1, "two"]}
    assert reply.usage == {"agent": "echo", "agent_version": 1}


async def test_the_stated_cost_counts_where_none_is_measured(org):
    await in_database(factories.agent)(org, draft=factories.python_draft(cost_per_run_usd=Decimal("0.25")))
    assert (await ask(org)).usage["cost_usd"] == 0.25


async def test_flaky_counts_the_engines_attempts(org):
    await in_database(factories.agent)(org, "flaky", factories.python_draft("flaky"))
    error = await refusal(org, "flaky", {"fail_times": 2}, attempt=2)
    assert (error.code, error.retryable, error.usage) == ("flaky", True, {"agent": "flaky", "agent_version": 1})
    assert (await ask(org, "flaky", {"fail_times": 2}, attempt=3)).outputs == {"attempts": 3}


async def test_wrong_input_is_refused_with_its_place(org):
    await in_database(factories.agent)(org, "sleep", factories.python_draft("sleep"))
    error = await refusal(org, "sleep", {"seconds": "long"})
    assert (error.code, error.retryable) == ("invalid_input", False)
    assert error.detail == {"faults": [{"path": "$.seconds", "message": "must be a number, but is text"}]}


async def test_a_wrong_answer_is_refused_and_may_be_retried(org):
    await in_database(factories.agent)(org, draft=factories.python_draft(output_schema=schema(("b",), b={})))
    error = await refusal(org, inputs={"a": 1})
    assert (error.code, error.retryable) == ("invalid_output", True)
    assert "$.b: is required" in error.message


async def test_the_agents_own_limit_of_time_holds(org):
    await in_database(factories.agent)(org, "sleep", factories.python_draft("sleep", timeout_seconds=1))
    error = await refusal(org, "sleep", {"seconds": 30})
    assert (error.code, error.retryable) == ("timeout", True)


async def test_the_runs_deadline_holds_too(org):
    await in_database(factories.agent)(org, "sleep", factories.python_draft("sleep"))
    error = await refusal(org, "sleep", {"seconds": 30}, deadline=clock.now() + timedelta(milliseconds=50))
    assert error.code == "timeout"


async def test_offline_agents_are_refused_and_name_their_replacement(org):
    made = await in_database(factories.agent)(org)
    new = await in_database(factories.agent)(org, "new-echo")
    await ask(org)
    await in_database(services.set_status)(
        agent=made.version.agent, status="offline", replaced_by=new.version.agent, actor=Actor.command()
    )
    error = await refusal(org)
    assert (error.code, error.retryable, error.detail) == ("agent_offline", False, {"replaced_by": "new-echo"})


async def test_deprecated_agents_go_on_working(org):
    await in_database(factories.agent)(org, status="deprecated")
    assert (await ask(org, inputs={"a": 1})).outputs == {"a": 1}


async def test_a_pinned_version_stays_and_the_latest_moves(org):
    made = await in_database(factories.agent)(org)
    await ask(org)
    draft = factories.python_draft("flaky")
    await in_database(services.publish_version)(agent=made.version.agent, draft=draft, actor=Actor.command())
    assert (await ask(org, version=1, inputs={"a": 1})).outputs == {"a": 1}
    assert (await ask(org, inputs={"fail_times": 0})).usage["agent_version"] == 2


async def test_a_run_keeps_the_version_it_began_with(org):
    made = await in_database(factories.agent)(org)
    began = clock.now()
    await in_database(services.publish_version)(
        agent=made.version.agent, draft=factories.python_draft("flaky"), actor=Actor.command()
    )
    assert (await ask(org, as_of=began)).usage["agent_version"] == 1
    assert (await ask(org, as_of=clock.now(), inputs={"fail_times": 0})).usage["agent_version"] == 2
    assert (await ask(org, as_of=began - timedelta(days=1))).usage["agent_version"] == 1


@pytest.mark.parametrize(("agent", "version"), [("nobody", None), ("echo", 7)])
async def test_what_is_not_there_is_said(org, agent, version):
    await in_database(factories.agent)(org)
    assert (await refusal(org, agent, version=version)).code == "agent_unknown"


async def test_another_organisations_agent_is_not_there(org):
    other = await in_database(factories.organisation)("other")
    await in_database(factories.agent)(other, "theirs")
    assert (await refusal(org, "theirs")).code == "agent_unknown"


async def test_most_calls_cost_no_query(org, django_assert_num_queries):
    await in_database(factories.agent)(org)
    await ask(org)
    reads: list[str] = []
    original = snapshots.in_database

    async def counted(*read):
        reads.append("read")
        return await original(*read)

    snapshots.in_database = counted
    try:
        for _ in range(5):
            await ask(org)
    finally:
        snapshots.in_database = original
    assert reads == []


async def test_a_snapshot_runs_without_being_published(org):
    assert (await ask(org, "draft", {"x": 1}, snapshot=unpublished("echo"))).outputs == {"x": 1}


async def test_a_broken_function_is_told_without_bringing_the_host_down(org, monkeypatch):
    from agents import python_callables

    @python_callables.callable_agent("broken", label="Broken", description="", input_schema={}, output_schema={})
    def broken(inputs, call):
        raise RuntimeError("no luck")

    try:
        error = await refusal(org, "draft", snapshot=unpublished("broken"))
    finally:
        del python_callables._REGISTERED["broken"]
    assert (error.code, error.message) == ("callable_failed", "The function “broken” failed: RuntimeError: no luck")


def test_functions_are_named_from_the_list_only(org):
    with pytest.raises(services.InvalidAgent, match="did you mean sleep"):
        factories.agent(org, "os", factories.python_draft("sleeep"))
    assert not Agent.objects.filter(slug="os").exists()


async def test_much_data_is_checked_without_holding_the_loop(org):
    rows = {"type": "array", "items": schema(("n",), n={"type": "integer"})}
    snapshot = replace(unpublished("echo"), input_schema=schema(("rows",), rows=rows))
    longest, ticking = 0.0, True  # the most that the loop's thread has computed in one go, whoever else is at work

    async def tick():
        nonlocal longest
        while ticking:
            before = time.thread_time()
            await asyncio.sleep(0.005)
            longest = max(longest, time.thread_time() - before)

    ticker = asyncio.create_task(tick())
    reply = await ask(org, "draft", {"rows": [{"n": n} for n in range(20_000)]}, snapshot=snapshot)
    ticking = False
    await ticker
    assert len(reply.outputs["rows"]) == 20_000
    assert longest < 0.5
