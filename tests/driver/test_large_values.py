"""Large values: stored once by content, carried by reference, whole for whoever reads them."""

import json
import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connection

from orchestration.driving import much, ready
from orchestration.driving import values as run_values
from orchestration.models import NodeRun, Run, RunEvent, RunSignal, StoredValue, ValueUse
from orchestration.services import runs, values
from orchestration.values import keeper, splitting
from orchestration.values.references import is_reference
from portal.core.models import Organisation
from tests.driver.scripted import CALLS
from tests.driver.test_runs import scripted
from tests.engine_host import PATIENCE, EngineHost, make_definition, raw_connection, start, wait_until
from tests.factories import make_organisation

pytestmark = pytest.mark.django_db(transaction=True)

JSON = Any
LARGE = "Lorem ipsum dolor sit amet, ünïcödé. " * 10_000


def chain(count: int, **more: JSON) -> Any:
    sources = ["inputs.text", *(f"n{i}.outputs.text" for i in range(count - 1))]
    nodes = [scripted(f"n{i}", outputs={"text": f"{{{{ {sources[i]} }}}}", "title": "short"}) for i in range(count)]
    edges = [f"n{i} -> n{i + 1}" for i in range(count - 1)]
    return make_definition(nodes, edges, **more)


def events_text(run: Run) -> str:
    return json.dumps(list(RunEvent.objects.filter(run=run).order_by("seq").values_list("data", flat=True)))


def test_a_large_text_goes_through_a_chain_and_is_stored_once(engine: EngineHost, organisation: Organisation) -> None:
    definition = chain(4, outputs={"text": "{{ n3.outputs.text }}", "length": "{{ size(n3.outputs.text) }}"})
    run = engine.wait_for(start(organisation, definition, {"text": LARGE}))
    stored = StoredValue.objects.get(organisation=organisation)
    assert stored.kind == "string" and stored.bytes == len(LARGE.encode())
    reference = {"$value": stored.digest, "bytes": stored.bytes, "type": "string"}
    assert run.inputs == {"text": reference} and run.outputs == {"text": reference, "length": len(LARGE)}
    assert NodeRun.objects.get(run=run, node="n2").outputs == {"text": reference, "title": "short"}
    assert NodeRun.objects.get(run=run, node="n2").inputs["outputs"] == {"text": reference, "title": "short"}
    assert len(events_text(run)) < 10_000
    assert values.whole_of(organisation.pk, run.outputs)["text"] == LARGE
    assert list(ValueUse.objects.values_list("run_id", "value_id")) == [(run.pk, stored.pk)]


def test_what_is_read_beside_a_large_value_does_not_load_it(
    organisation: Organisation, start_engine: Callable[..., EngineHost], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "CACHE_BYTES", 0)
    monkeypatch.setattr(keeper.Cache.__init__, "__defaults__", (0,))
    definition = make_definition(
        [
            scripted("a", outputs={"title": "T", "text": "{{ inputs.text }}"}),
            scripted("b", outputs={"seen": "{{ a.outputs.title }}"}),
            scripted("c", outputs={"seen": "{{ has(a.outputs.text) && vars.x == 1 }}"}),
        ],
        ["a -> b", "b -> c"],
        variables={"x": {"type": "integer", "default": 1}},
        outputs={"title": "{{ a.outputs.title }}"},
    )
    engine = start_engine()
    run = engine.wait_for(start(organisation, definition, {"text": LARGE}))
    assert run.outputs == {"title": "T"}
    assert engine.host and engine.host._keeper.loads == 2, "for a's settings, and for c, which asks for it by has()"


def test_expressions_and_nodes_see_whole_values(engine: EngineHost, organisation: Organisation) -> None:
    rows = [{"n": i, "text": "x" * 40} for i in range(3000)]
    definition = make_definition(
        [
            {"id": "keep", "type": "set", "settings": {"variables": {"rows": "{{ inputs.rows }}"}}},
            scripted(
                "pick",
                outputs={"odd": "{{ size(vars.rows.filter(r, r.n % 2 == 1)) }}", "last": "{{ vars.rows[2999].n }}"},
            ),
            scripted("upper", outputs={"text": "begin {{ inputs.document.text }} end"}),
            {"id": "both", "type": "join", "join": {"rule": "all"}},
        ],
        ["keep -> pick", "keep -> upper", "pick -> both", "upper -> both"],
        outputs={"both": "{{ both.outputs }}", "context": "{{ size(context.upper.text) }}"},
    )
    inputs = {"rows": rows, "document": {"title": "t", "text": LARGE}}
    run = engine.wait_for(start(organisation, definition, inputs))
    assert run.outputs["context"] == len(LARGE) + 10
    whole = values.whole_of(organisation.pk, run.outputs)
    assert whole["both"]["pick"] == {"odd": 1500, "last": 2999}
    assert whole["both"]["upper"]["text"] == f"begin {LARGE} end"
    assert run.inputs["document"]["title"] == "t" and is_reference(run.inputs["document"]["text"])
    assert values.whole_of(organisation.pk, run.inputs) == inputs


def test_data_that_looks_like_a_reference_stays_data(engine: EngineHost, organisation: Organisation) -> None:
    other = make_organisation()
    run = engine.wait_for(start(other, chain(1), {"text": LARGE}))
    stolen = run.inputs["text"]
    odd = {"forged": stolen, "$value": "x", "$$value": {"$value": 1}, "text": LARGE}
    definition = make_definition(
        [
            scripted("a", outputs={"got": "{{ inputs.odd }}"}),
            scripted("b", outputs={"got": "{{ a.outputs.got.forged }}"}),
        ],
        ["a -> b"],
        outputs={"all": "{{ a.outputs.got }}", "forged": "{{ b.outputs.got }}"},
    )
    run = engine.wait_for(start(organisation, definition, {"odd": odd}))
    assert values.whole_of(organisation.pk, run.outputs) == {"all": odd, "forged": stolen}
    assert StoredValue.objects.filter(organisation=organisation).count() == 1, "its own copy of the text, not another's"
    assert values.download(run, stolen["$value"]) is not None
    assert values.download(Run.objects.get(organisation=other), "0" * 64) is None


def test_an_event_carries_data_that_looks_like_a_reference(engine: EngineHost, organisation: Organisation) -> None:
    data = {"$value": "0" * 64, "bytes": 1, "type": "string"}
    definition = make_definition(
        [
            {"id": "tell", "type": "publish_event", "settings": {"name": "seen", "data": "{{ inputs.data }}"}},
            {"id": "hear", "type": "wait_event", "settings": {"name": "seen", "since": "run_start", "timeout": 20}},
        ],
        ["tell -> hear"],
        outputs={"heard": "{{ hear.outputs.event.data }}"},
    )
    run = engine.wait_for(start(organisation, definition, {"data": data}))
    assert values.whole_of(organisation.pk, run.outputs) == {"heard": data}


def test_a_loop_over_large_items_with_large_results(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition(
        [
            {"id": "each", "type": "loop", "settings": {"items": "inputs.items", "output": "{{ work.outputs }}"}},
            {**scripted("work", outputs={"text": "{{ loop.item.text }}!", "n": "{{ loop.index }}"}), "parent": "each"},
            scripted(
                "after", outputs={"third": "{{ each.outputs.items[2].n }}", "all": "{{ size(each.outputs.items) }}"}
            ),
        ],
        ["each -> after"],
        outputs={"items": "{{ each.outputs.items }}", "after": "{{ after.outputs }}"},
    )
    items = [{"text": f"{i}" * 100_000} for i in range(5)]
    run = engine.wait_for(start(organisation, definition, {"items": items}))
    assert run.outputs["after"] == {"third": 2, "all": 5}
    whole = values.whole_of(organisation.pk, run.outputs)
    assert [item["text"] for item in whole["items"]] == [f"{i}" * 100_000 + "!" for i in range(5)]
    assert len(events_text(run)) < 30_000


def test_the_next_host_goes_on_with_references_alone(
    organisation: Organisation, start_engine: Callable[..., EngineHost]
) -> None:
    definition = make_definition(
        [
            scripted("a", outputs={"text": "{{ inputs.text }}"}),
            scripted("ask", waits=True),
            scripted(
                "b", outputs={"size": "{{ size(a.outputs.text) }}", "said": "{{ size(ask.outputs.answer.note) }}"}
            ),
        ],
        ["a -> ask", "ask -> b"],
        outputs={"b": "{{ b.outputs }}"},
    )
    first = start_engine()
    run = first.wait_for(start(organisation, definition, {"text": LARGE}), "waiting")
    first.stop()
    runs.signal_node(run_id=run.pk, node="ask", by="test", data={"note": LARGE[:100_000]})
    assert is_reference(RunSignal.objects.get(run=run).data["note"])
    run = start_engine().wait_for(run)
    assert run.outputs["b"] == {"size": len(LARGE), "said": 100_000}


def test_what_is_said_at_length_of_an_iteration_is_whole_after_another_has_waited(
    engine: EngineHost, organisation: Organisation
) -> None:
    each = {"id": "each", "type": "loop", "settings": {"items": "range(2)", "on_error": "gap"}}
    first = {"id": "first", "type": "condition", "settings": {"condition": "loop.index == 0"}}
    nodes = [each, *({**one, "parent": "each"} for one in (first, scripted("bad", odd="says much"), scripted("ask")))]
    nodes[-1]["settings"] = {"waits": True}
    nodes.append(scripted("read", outputs={"rows": "{{ size(each.outputs.errors[0].detail.rows) }}"}))
    edges = ["first:true -> bad", "first:false -> ask", "each -> read"]
    run = start(organisation, make_definition(nodes, edges))
    engine.wait_for_node(run, "ask", "waiting", path="1")
    wait_until(lambda: Run.objects.filter(pk=run.pk, host_id=None).exists(), 10, "it to be let go")
    runs.signal_node(run_id=run.pk, node="ask", path="1", by="ada", data={})
    engine.wait_for(run)
    assert is_reference(NodeRun.objects.get(run=run, node="each").outputs["errors"][0]["detail"]["rows"])
    assert NodeRun.objects.get(run=run, node="read").outputs == {"rows": 5_000}


def test_too_large_an_answer_fails_its_node_with_the_remedy(
    engine: EngineHost, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.store.values.LARGEST_BYTES", 1_000_000)
    run = start(
        organisation,
        make_definition([scripted("a", outputs={"t": "{{ inputs.text + inputs.text + inputs.text }}"})]),
        {"text": LARGE},
    )
    run = engine.wait_for(run, "failed")
    assert run.error["code"] == "too_large" and run.error["node"] == "a"
    assert "file store" in run.error["message"]
    assert CALLS[f"{run.pk}/a"] == 1, "it is no use to try again"


def test_values_are_removed_with_the_last_run_that_names_them(engine: EngineHost, organisation: Organisation) -> None:
    one = engine.wait_for(start(organisation, chain(1), {"text": LARGE}))
    two = engine.wait_for(start(organisation, chain(2), {"text": LARGE}))
    one.delete()
    assert values.collect(age_seconds=0) == values.Collected(0, 0)
    with connection.cursor() as cursor:  # as retention does it: rows, not objects
        for table in ("noderun", "runevent", "runsignal"):
            cursor.execute(f"DELETE FROM orchestration_{table} WHERE run_id = %s", [two.pk])
        cursor.execute("DELETE FROM orchestration_run WHERE id = %s", [two.pk])
    assert values.collect(age_seconds=3600) == values.Collected(0, 0), "it may be for a commit that is still to come"
    assert values.collect(age_seconds=0) == values.Collected(1, len(LARGE.encode()))
    assert not StoredValue.objects.exists()


def test_a_value_that_is_named_while_it_is_collected_stays(organisation: Organisation) -> None:
    made = values.prepared({"text": LARGE})
    run = start(organisation, chain(1), {"text": "small"})
    values.write(run.pk, organisation.pk, made.values)
    ValueUse.objects.all().delete()
    with raw_connection() as naming, raw_connection() as collecting:
        with naming.transaction():
            row = keeper.row_of(organisation.pk, made.values[0])
            id, fresh = naming.execute(keeper.statements.NAME, row).fetchone() or (0, True)
            naming.execute(keeper.statements.USE, (run.pk, id))
            # one that holds the row is passed over ...
            assert collecting.execute(keeper.statements.COLLECT, {"age": 0, "limit": 10}).fetchall() == []
        assert not fresh
        # ... and afterwards it is in use
        assert collecting.execute(keeper.statements.COLLECT, {"age": 0, "limit": 10}).fetchall() == []
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            collecting.execute("DELETE FROM orchestration_storedvalue")
    assert values.whole_of(organisation.pk, made.kept) == {"text": LARGE}


def test_naming_a_value_that_is_being_removed_stores_it_anew(organisation: Organisation) -> None:
    made = values.prepared({"text": LARGE})
    run = start(organisation, chain(1), {"text": "small"})
    values.write(run.pk, organisation.pk, made.values)
    ValueUse.objects.all().delete()
    with raw_connection() as collecting:
        with collecting.transaction():
            assert len(collecting.execute(keeper.statements.COLLECT, {"age": 0, "limit": 10}).fetchall()) == 1
            naming = threading.Thread(target=_write, args=(run, made), daemon=True)
            naming.start()
            wait_until(_waits_for_a_lock, 5, "the writer to wait for the row")
        naming.join(PATIENCE)
    assert values.whole_of(organisation.pk, made.kept) == {"text": LARGE}


def _write(run: Run, made: values.Prepared) -> None:
    try:
        values.write(run.pk, run.organisation_id, made.values)
    finally:
        connection.close()


def _waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def test_the_cache_is_bounded_and_knows_its_own_texts(organisation: Organisation) -> None:
    cache = keeper.Cache(most=1000)
    texts = [f"{i}" * 400 for i in range(4)]
    for i, text in enumerate(texts):
        cache.put(1, str(i), keeper.Body(text, True, 400, {"$value": str(i)}))
    assert cache.bytes == 800 and cache.get(1, "0") is None and cache.get(1, "3") is not None
    assert cache.reference_of(1, texts[3]) == {"$value": "3"}
    assert cache.reference_of(2, texts[3]) is None, "another organisation's"
    assert cache.reference_of(1, texts[0]) is None


def test_results_of_long_loops_hold_less_inline() -> None:
    assert run_values.inline_bytes_of_results(1) == splitting.INLINE_BYTES
    assert run_values.inline_bytes_of_results(10_000) == 1024


def test_the_host_shows_life_while_it_keeps_a_large_answer(
    engine: EngineHost, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keeping is done in a thread, and what it stores is not lost to what the run keeps meanwhile."""
    monkeypatch.setattr(run_values, "MUCH_BYTES", 300_000)
    begun, go_on, plain = threading.Event(), threading.Event(), much.ready

    def slow(value: JSON) -> ready.Plain:
        if run_values.is_much(value) and "result" in value:  # not what is shown of its settings
            begun.set()
            assert go_on.wait(PATIENCE)
        return plain(value)

    monkeypatch.setattr(much, "ready", slow)
    large, smaller = "x" * 400_000, "y" * 100_000
    definition = make_definition(
        [
            {"id": "much", "type": "transform", "settings": {"input": "{{ inputs.large + '!' }}"}},
            {"id": "less", "type": "transform", "settings": {"input": "{{ inputs.smaller + '!' }}"}},
        ],
        outputs={"much": "{{ much.outputs.result }}", "less": "{{ less.outputs.result }}"},
    )
    run = start(organisation, definition, {"large": large, "smaller": smaller})
    assert begun.wait(PATIENCE)
    engine.wait_for_node(run, "less")
    other = make_definition([{"id": "a", "type": "set", "settings": {"variables": {"b": 1}}}])
    engine.wait_for(start(organisation, other))
    go_on.set()
    engine.wait_for(run)
    found = values.whole_of(organisation.pk, run.outputs)
    assert found == {"much": large + "!", "less": smaller + "!"}
