"""A step that kills the process it works in: it costs a few hosts and no other run, and goes on once it is mended."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.engine.retry import MOST_ABANDONMENTS
from orchestration.models import Run
from orchestration.queries.replay import replay
from orchestration.services import runs
from orchestration.store.statements import MOST_CLAIMS
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.agents import factories
from tests.crashing_host import crashing_hosts, register_agents
from tests.engine_host import event_types, make_definition, start, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_is_set_aside_others_go_on_and_a_retry_works_once_it_is_mended(
    organisation: Organisation, tmp_path: Path
) -> None:
    register_agents()
    for slug, name in (("host-killer", "host_killer"), ("sleep", "sleep")):
        factories.agent(organisation, slug, factories.python_draft(name))
    poison = tmp_path / "poison"
    poison.touch()
    step = {"id": "kills", "type": "agent", "settings": {"agent": "host-killer", "inputs": {"file": str(poison)}}}
    slow = {"id": "slow", "type": "agent", "settings": {"agent": "sleep", "inputs": {"seconds": 0.3}}}
    with crashing_hosts() as hosts:
        run = start(organisation, make_definition([step]))
        others = [start(organisation, make_definition([slow])) for _ in range(3)]
        deaths = 0
        hosts.begin()

        def until(over: object) -> bool:
            nonlocal deaths
            if hosts.over(0.02) is not None:
                deaths += 1
                hosts.begin()
            return bool(over)

        wait_until(lambda: until(_fresh(run).incident or _fresh(run).ended), 120, "the run to be set aside")
        wait_until(lambda: until(all(_fresh(other).ended for other in others)), 60, "the others")
        assert 3 <= deaths <= MOST_CLAIMS + MOST_ABANDONMENTS
        # on a machine so slow that it seems to have worked for long between the deaths, the step is given up instead
        why = _fresh(run).incident or _fresh(run).error
        assert why is not None and why["code"] in ("host_killer", "abandoned"), why
        assert {_fresh(other).status for other in others} == {"completed"}

        poison.unlink()
        runs.retry_run(run=_fresh(run), actor=Actor.command(), reason="mended")
        wait_until(lambda: _fresh(run).ended, 30, "the run that was mended")
    assert _fresh(run).status == "completed", (_fresh(run).error, event_types(run))
    assert event_types(run).count("NodeSucceeded kills") == 1 and replay(_fresh(run)).same


def _fresh(run: Run) -> Run:
    return Run.objects.get(pk=run.pk)
