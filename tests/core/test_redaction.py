"""Redaction: known values in any clothes, patterns of keys, and no damage to prose."""

import base64
import io
import json
import logging
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from portal.core import logs, redaction
from portal.core.actors import Actor
from portal.core.models import AuditEntry
from portal.core.services import audit, secrets
from tests.cast import Cast

VALUE = "p@ss/wörd+42"


@pytest.mark.parametrize(
    "text",
    [
        "key sk-proj-abcdefghijklmnop0123 end",
        "sk-ant-" + "api03-abcdefghijklmnop-q_r",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "AIzaSyA-1234567890abcdefghijklmnopqrstu",
        "xoxb-123456789012-abcdefghijkl",
        "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc123",
        "authorization: basic dXNlcjpwYXNzd29yZDEyMw==",
        "https://user:hunter22@example.com/path",
        "postgresql://ensemble:s3cr3t@db/ensemble",
        "GET /v1/models?api_key=AbCdEf123456&x=1",
        "password=hunter22",
        '{"password": "hunter22"}',
        "{'api_key': 'hunter22'}",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----",
        "ens_0123abcd_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ",
    ],
)
def test_patterns_of_keys_are_taken_out(text: str):
    found = redaction.redact(text)
    assert "[redacted]" in found
    for word in ("abcdefghijklmnop", "hunter22", "s3cr3t", "eyJhbG", "dXNlcj", "AbCdEf", "MIIB", "IOSFODNN7"):
        assert word not in found


@pytest.mark.parametrize(
    "text",
    [
        "The bearer of this letter shall be granted entry to understanding.",
        "Basic understanding of passwords: a password must have eight characters.",
        "The secret of good soup is time. Token count: 5123.",
        '+    password = form.cleaned_data["password"]',
        "task-force, desk-research and risk-assessment-framework-overview",
        "see https://example.com:8080/a@b",
    ],
)
def test_prose_and_code_survive(text: str):
    assert redaction.redact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "a-" * 200_000 + "://",
        "-----BEGIN PRIVATE KEY-----" * 20_000,
        "token=" * 50_000,
        "api_key=" * 50_000,
        "bearer " * 50_000,
        "k-" * 200_000,
        "http://" * 50_000,
        '"token"' + " " * 300_000,
        "İ" * 300_000 + " token=hunter22",
    ],
)
def test_no_text_takes_long(text: str):
    """Each of these took minutes where time grew with the square of the length, and held up a host meanwhile."""
    assert "hunter22" not in redaction.redact(text)


def test_in_a_long_text_secrets_are_found_wherever_they_stand(monkeypatch: pytest.MonkeyPatch):
    secret = "password=hunter22 Bearer eyJhbGciOiJIUzI1NiJ9.e30 https://user:hunter22@example.com "
    whole = "-----BEGIN EC PRIVATE KEY-----\nMIIB\n-----END EC PRIVATE KEY-----"
    for length in range(40, 140):
        monkeypatch.setattr(redaction, "_PIECE", length)
        assert redaction.redact(f"prose {secret} prose {whole} prose") == (
            "prose password=[redacted] Bearer [redacted] https://user:[redacted]@example.com  prose [redacted] prose"
        )


def test_a_secret_within_another_leaves_nothing_of_both():
    text = "secret=-----BEGIN PRIVATE KEY-----\nMIIBVQ\n-----END PRIVATE KEY----- end"
    assert redaction.redact(text) == "secret=[redacted] end"


def test_known_values_are_found_in_any_clothes(cast: Cast):
    secrets.set_secret(organisation=cast.organisation, name="S", value=VALUE, actor=Actor.command())
    clothes = [VALUE, quote(VALUE, safe=""), base64.b64encode(VALUE.encode()).decode()]
    document = {"list": [f"a {one} b" for one in clothes], VALUE: {"deep": (VALUE,)}, "bytes": VALUE.encode(), "n": 7}
    found = redaction.redact(document, cast.organisation)
    assert found["list"] == ["a [redacted] b"] * 3
    assert found["[redacted]"] == {"deep": ["[redacted]"]}
    assert found["bytes"] == "[redacted]" and found["n"] == 7


def test_one_organisation_cannot_guess_the_secrets_of_another_by_what_is_redacted(cast: Cast):
    secrets.set_secret(organisation=cast.organisation, name="S", value="guess-me-if-you-can", actor=Actor.command())
    assert redaction.redact("guess-me-if-you-can", cast.elsewhere) == "guess-me-if-you-can"


def test_values_under_telling_keys_are_taken_out():
    document = {"Authorization": "abc", "client_secret": "abc", "tokens": 12, "password": "", "note": "abc"}
    assert redaction.redact(document) == {
        "Authorization": "[redacted]", "client_secret": "[redacted]", "tokens": 12, "password": "", "note": "abc",
    }  # fmt: skip


def test_the_ledger_is_redacted(cast: Cast):
    secrets.set_secret(organisation=cast.organisation, name="S", value=VALUE, actor=Actor.command())
    audit.record(
        organisation=cast.organisation,
        actor=Actor.command(),
        verb="test.thing.happened",
        data={"error": f"bad {VALUE}"},
    )
    assert AuditEntry.objects.get(verb="test.thing.happened").data == {"error": "bad [redacted]"}


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize(
    "logger", [structlog.get_logger("test.lib"), logging.getLogger("test.lib")], ids=["ours", "library"]
)
def test_logs_are_redacted_tracebacks_included(cast: Cast, form: str, logger):
    secrets.set_secret(organisation=cast.organisation, name="S", value=VALUE, actor=Actor.command())
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    handler.setFormatter(_formatter(form))
    logging.getLogger("test.lib").addHandler(handler)
    try:
        with structlog.contextvars.bound_contextvars(request_id="r-1234", organisation="acme"):
            raise RuntimeError(f"provider said: key {VALUE} is wrong")
    except RuntimeError:
        with structlog.contextvars.bound_contextvars(request_id="r-1234", organisation="acme"):
            logger.exception("failed with %s", VALUE)
    finally:
        logging.getLogger("test.lib").removeHandler(handler)
    text = output.getvalue()
    assert VALUE not in text and json.dumps(VALUE)[1:-1] not in text
    for word in ("RuntimeError", "failed with [redacted]", "key [redacted] is wrong", "r-1234", "acme", "test.lib"):
        assert word in text
    if form == "json":
        assert json.loads(text)["level"] == "error"


def _formatter(form: str) -> logging.Formatter:
    described = dict(logs.configure(form=form, level="INFO")["formatters"]["line"])
    return described.pop("()")(**described)


@given(
    st.recursive(
        st.text(max_size=12)
        | st.sampled_from(["Bearer abcdefghijklmnop123", "to\u212aen=abcdef", VALUE, 'a"b\\c-öß-sécret']),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "Cookie", "pwd"]), inner),
        max_leaves=6,
    )
)
def test_what_is_surely_clean_is_not_changed(value: Any) -> None:
    redaction.remember(1, [VALUE, 'a"b\\c-öß-sécret'])
    if redaction.surely_clean(json.dumps(value)):
        assert redaction.redact(value) == value


def test_prose_is_surely_clean_and_secrets_are_not() -> None:
    redaction.remember(1, ['a"b\\c-öß-sécret'])
    assert redaction.surely_clean(json.dumps({"text": "Prose, numbers 12, and a dash - of ä."}))
    for secret in ('a"b\\c-öß-sécret', {"authorization": "x"}, "sk-proj-abcdefghijklmnop0123"):
        assert not redaction.surely_clean(json.dumps([secret]))
