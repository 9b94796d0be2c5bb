"""Webhooks: who holds the secret starts a run, once; nobody else learns anything."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from orchestration.models import Run, Trigger, TriggerFire, WebhookSeen
from orchestration.services import triggers, webhooks
from orchestration.triggers import signatures
from portal.core import clock
from portal.core.actors import Actor
from portal.core.models import Organisation, Secret
from tests.cast import Cast
from tests.triggers.factories import new, workflow

pytestmark = pytest.mark.django_db(transaction=True)


class Sender:
    """What somebody with the address and the secret does."""

    def __init__(self, trigger: Trigger, secret: str) -> None:
        self.trigger, self.secret = trigger, secret
        self.url = f"/hooks/{trigger.organisation.slug}/{trigger.path}"
        self.client = Client(enforce_csrf_checks=True)

    def send(self, body: Any = None, *, at: int | None = None, secret: str = "", url: str = "", **headers: str) -> Any:
        text = body if isinstance(body, bytes) else json.dumps({"order": "7"} if body is None else body).encode()
        at = int(time.time()) if at is None else at
        signed = {
            "X-Ensemble-Timestamp": str(at),
            "X-Ensemble-Signature": signatures.sign(secret or self.secret, text, at),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        kind = signed.pop("Content-Type", "application/json")
        return self.client.post(url or self.url, data=text, content_type=kind, headers=signed)


@pytest.fixture(autouse=True)
def one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals are told once a minute: none of the tests passes from one minute into the next."""
    now = datetime.now(UTC)
    monkeypatch.setattr(clock, "database_now", lambda: now)


@pytest.fixture
def sender(cast: Cast) -> Sender:
    made = new(workflow(cast.organisation), "webhook")
    return Sender(made.trigger, made.secret)


def refusals(trigger: Trigger) -> list[str]:
    return list(TriggerFire.objects.filter(trigger=trigger, outcome="refused").values_list("reason", flat=True))


def test_a_signed_call_starts_a_run(sender: Sender) -> None:
    answer = sender.send({"order": "42"})
    assert answer.status_code == 202
    run = Run.objects.get()
    assert answer.json()["run"] == str(run.pk) and answer.json()["url"].endswith(f"/runs/{run.pk}/")
    assert (run.inputs, run.source, run.trigger) == ({"order": "42"}, "webhook", sender.trigger)
    assert TriggerFire.objects.get().outcome == "started"


def test_a_known_vector() -> None:
    """Computed with `openssl dgst -sha256 -hmac`; GitHub's is that of its documentation."""
    assert signatures.sign("It's a Secret to Everybody", b"Hello, World!") == (
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    )
    ours = signatures.sign("s3cret-s3cret-s3", b'{"order": "7"}', 1767225600)
    assert ours == signatures.sign("s3cret-s3cret-s3", b'1767225600.{"order": "7"}')


def test_strangers_get_the_same_answer_whatever_they_try(sender: Sender, cast: Cast) -> None:
    elsewhere = f"/hooks/{cast.elsewhere.slug}/{sender.trigger.path}"
    answers = [
        sender.send(url="/hooks/acme/nothing-there"),
        sender.send(url="/hooks/nobody/nothing-there"),
        sender.send(url=elsewhere),
        sender.send(secret="a wrong secret of length"),
        sender.send(X_Ensemble_Signature="sha256=00"),
        sender.send(X_Ensemble_Timestamp="yesterday"),
        sender.client.post(sender.url, data="{}", content_type="application/json"),
    ]
    for answer in answers:
        assert answer.status_code == 404 and answer["Content-Type"] == "application/problem+json"
    bodies = [{**answer.json(), "request_id": None} for answer in answers]
    assert all(body == bodies[0] for body in bodies)
    assert not Run.objects.exists()
    assert refusals(sender.trigger) == ["The signature does not match."], "its owners see why"
    assert TriggerFire.objects.get().count == 4, "one row a minute and reason"


def test_a_changed_body_is_not_what_was_signed(sender: Sender) -> None:
    at = int(time.time())
    stolen = signatures.sign(sender.secret, b'{"order": "7"}', at)
    answer = sender.send(b'{"order": "8"}', at=at, X_Ensemble_Signature=stolen)
    assert answer.status_code == 404 and not Run.objects.exists()


@pytest.mark.parametrize(("seconds", "status"), [(-400, 400), (-200, 202), (200, 202), (400, 400)])
def test_only_within_the_window(sender: Sender, seconds: int, status: int) -> None:
    answer = sender.send(at=int(time.time()) + seconds)
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["code"] == "stale" and "clock" in answer.json()["detail"]
        assert len(refusals(sender.trigger)) == 1


def test_the_same_request_again_is_refused(sender: Sender) -> None:
    at = int(time.time())
    assert [sender.send(at=at).status_code for _ in range(3)] == [202, 409, 409]
    assert Run.objects.count() == 1
    assert TriggerFire.objects.get(outcome="refused").count == 2


def test_an_idempotency_key_gives_the_same_run(sender: Sender) -> None:
    now = int(time.time())
    first = sender.send(at=now, Idempotency_Key="order-7")
    again = sender.send(at=now + 1, Idempotency_Key="order-7")
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["run"] == again.json()["run"] and Run.objects.count() == 1


def test_an_idempotency_key_of_something_else_is_a_conflict(sender: Sender) -> None:
    now = int(time.time())
    first = sender.send({"order": "7", "note": "x"}, at=now, Idempotency_Key="order-7")
    other = sender.send({"order": "8"}, at=now + 1, Idempotency_Key="order-7")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    assert other.json()["run"] == first.json()["run"] and first.json()["run"] in other.json()["detail"]
    assert refusals(sender.trigger) == [other.json()["detail"]]
    query = sender.send({"order": "7", "note": "x"}, at=now + 2, url=f"{sender.url}?again=1", Idempotency_Key="order-7")
    assert query.status_code == 409
    spaced = sender.send(b'{ "order": "7",  "note": "x" }', at=now + 3, Idempotency_Key="order-7")
    assert spaced.status_code == 200, "the same said with other white space is the same"
    assert Run.objects.count() == 1


def test_a_key_used_before_bodies_were_compared_still_gives_its_run(sender: Sender) -> None:
    now = int(time.time())
    first = sender.send(at=now, Idempotency_Key="order-7")
    TriggerFire.objects.update(said="")
    again = sender.send({"order": "8"}, at=now + 1, Idempotency_Key="order-7")
    assert (again.status_code, again.json()["run"]) == (200, first.json()["run"])


def test_a_key_whose_call_started_nothing_may_try_again(sender: Sender) -> None:
    now = int(time.time())
    wrong = sender.send({"order": 5}, at=now, Idempotency_Key="k")
    assert wrong.status_code == 422 and wrong.json()["problems"][0]["path"] == "$.order"
    assert sender.send(at=now + 1, Idempotency_Key="k").status_code == 202


def test_calls_at_the_same_moment_start_one_run(sender: Sender) -> None:
    at, begin, statuses = int(time.time()), threading.Barrier(4), list[int]()

    def call() -> None:
        try:
            begin.wait()
            statuses.append(sender.send(at=at).status_code)
        finally:
            connections.close_all()

    callers = [threading.Thread(target=call) for _ in range(4)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()
    assert sorted(statuses) == [202, 409, 409, 409] and Run.objects.count() == 1


def test_too_much_is_refused(sender: Sender) -> None:
    large = sender.send(b'"' + b"x" * webhooks.LARGEST_BYTES + b'"')
    assert large.status_code == 413 and large.json()["code"] == "too_large"
    Trigger.objects.update(settings={**sender.trigger.settings, "per_minute": 2})
    now = int(time.time())
    answers = [sender.send(at=now + n) for n in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[-1]["Retry-After"] == "60"


def test_back_pressure_while_runs_are_under_way(sender: Sender) -> None:
    Trigger.objects.update(most_unfinished=1)
    now = int(time.time())
    assert [sender.send(at=now + n).status_code for n in range(2)] == [202, 429]
    assert TriggerFire.objects.filter(outcome="skipped").count() == 1


def test_an_organisation_that_is_full_asks_to_wait(sender: Sender, settings: Any) -> None:
    settings.ENGINE_OPEN_RUNS = 1
    now = int(time.time())
    assert [sender.send(at=now + n, Idempotency_Key=str(n)).status_code for n in range(2)] == [202, 429]
    settings.ENGINE_OPEN_RUNS = 2
    assert sender.send(at=now + 2, Idempotency_Key="1").status_code == 202, "the same key may try again"


def test_a_webhook_that_is_switched_off_says_so_to_its_sender_only(sender: Sender) -> None:
    triggers.set_enabled(trigger=sender.trigger, enabled=False, actor=Actor.command())
    assert sender.send().json()["code"] == "switched_off"
    assert sender.send(secret="a wrong secret of length").status_code == 404


def test_an_organisation_that_is_off_has_no_webhooks(sender: Sender) -> None:
    Organisation.objects.update(is_active=False)
    assert sender.send().status_code == 404


def test_a_new_secret_makes_the_old_one_worthless(sender: Sender) -> None:
    made = triggers.rotate_secret(trigger=sender.trigger, actor=Actor.command())
    assert sender.send().status_code == 404
    assert sender.send(secret=made.secret).status_code == 202


def test_the_secret_is_stored_encrypted_and_goes_with_the_trigger(sender: Sender) -> None:
    row = Secret.objects.get()
    assert sender.secret not in row.ciphertext
    assert sender.secret not in json.dumps(list(Trigger.objects.values()), default=str)
    triggers.delete_trigger(trigger=sender.trigger, actor=Actor.command())
    assert not Secret.objects.exists() and sender.send().status_code == 404


def test_github_signs_in_its_own_way(cast: Cast) -> None:
    made = new(
        workflow(cast.organisation),
        "webhook",
        settings={"scheme": "github"},
        inputs={"order": "{{ body.order }} {{ headers['x-github-event'] }}"},
    )
    sender = Sender(made.trigger, made.secret)

    def send(body: bytes, kind: str = "application/json", signature: str = "") -> Any:
        return sender.client.post(
            sender.url,
            data=body,
            content_type=kind,
            headers={
                "X-Hub-Signature-256": signature or signatures.sign(made.secret, body),
                "X-GitHub-Event": "push",
                "Cookie": "a=b",
            },
        )

    assert send(b'{"order": "1"}').status_code == 202
    assert send(b'{"order": "1"}').status_code == 409, "each signature counts once"
    assert send(b"payload=%7B%22order%22%3A%20%222%22%7D", "application/x-www-form-urlencoded").status_code == 202
    assert send(b"{}", signature="sha256=" + "0" * 64).status_code == 404
    assert sorted(run.inputs["order"] for run in Run.objects.all()) == ["1 push", "2 push"]
    assert WebhookSeen.objects.count() == 2


def test_bodies_that_are_no_json(sender: Sender) -> None:
    answer = sender.send(b"{order", at=int(time.time()))
    assert answer.status_code == 400 and answer.json()["code"] == "invalid_json"
    Trigger.objects.update(inputs={"order": "{{ body }} {{ query.a }}"})
    text = sender.send(b"plain", url=f"{sender.url}?a=1", Content_Type="text/plain")
    assert text.status_code == 202 and Run.objects.get().inputs == {"order": "plain 1"}


def test_a_get_starts_nothing(sender: Sender) -> None:
    assert sender.client.get(sender.url).status_code == 405


def test_a_secret_that_is_gone_is_told_to_the_owners_only(sender: Sender) -> None:
    Secret.objects.all().delete()
    assert sender.send().status_code == 404
    assert "Make a new one" in refusals(sender.trigger)[0]


@pytest.mark.parametrize("number", [b"NaN", b"-Infinity", b"1e999", b"9" * 5000])
def test_numbers_that_cannot_be_kept_are_refused_and_told(sender: Sender, number: bytes) -> None:
    answer = sender.send(b'{"order": "1", "amount": %s}' % number)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")
    assert len(refusals(sender.trigger)) == 1 and not Run.objects.exists()


def test_what_an_expression_makes_of_a_body_may_be_no_json(cast: Cast) -> None:
    inputs = {"order": "{{ body.order }}", "amount": "{{ body.amount * 10.0 }}"}
    made = new(workflow(cast.organisation), "webhook", inputs=inputs)
    sender = Sender(made.trigger, made.secret)
    answer = sender.send({"order": "1", "amount": 1e308})
    assert (answer.status_code, answer.json()["code"]) == (422, "cannot_start")
    fired = TriggerFire.objects.get()
    assert fired.outcome == "failed" and "JSON" in fired.reason and fired.inputs is None
