"""Health tells the truth: what is there, what is not, and what that means."""

import pytest
from django.test import Client

from portal.core import health
from portal.core.health import Unhealthy


@pytest.fixture
def probes(monkeypatch) -> dict:
    """A registry of its own, with PostgreSQL and Redis in it."""
    own = {name: health._probes[name] for name in ("postgresql", "redis")}
    monkeypatch.setattr(health, "_probes", own)
    return own


def test_live_asks_nothing(client: Client):
    assert client.get("/health/live").json() == {"status": "alive"}


@pytest.mark.django_db
def test_ready_reports_each_item_with_its_latency(client: Client, probes):
    health.register("engine", lambda: {"hosts": 2})
    response = client.get("/health/ready")
    report = response.json()
    assert (response.status_code, report["status"]) == (200, "ready")
    assert [item["name"] for item in report["items"]] == ["postgresql", "redis", "engine"]
    assert all(item["ok"] and item["latency_ms"] >= 0 for item in report["items"])
    assert report["items"][2]["data"] == {"hosts": 2}
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db
def test_without_redis_it_is_degraded_and_says_so(client: Client, probes, settings):
    settings.REDIS_URL = "redis://user:hunter22@127.0.0.1:1/0"
    response = client.get("/health/ready")
    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    item = response.json()["items"][1]
    assert (item["name"], item["ok"], item["required"]) == ("redis", False, False)
    assert "hunter22" not in response.text


@pytest.mark.django_db
@pytest.mark.parametrize(
    "error", [Unhealthy("no engine has given a sign of life for 60 seconds"), RuntimeError("pw=x")]
)
def test_without_an_engine_it_is_unavailable(client: Client, probes, error):
    def probe() -> None:
        raise error

    health.register("engine", probe)
    response = client.get("/health/ready")
    assert (response.status_code, response.json()["status"]) == (503, "unavailable")
    detail = response.json()["items"][2]["detail"]
    assert detail == (str(error) if isinstance(error, Unhealthy) else "does not answer (RuntimeError)")


def test_without_postgresql_it_is_unavailable(client: Client, probes):
    # No database is allowed in this test, so that the probe's connection fails as a lost server's would.
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert [item["ok"] for item in response.json()["items"]] == [False, True]
