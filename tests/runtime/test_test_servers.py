"""The servers the tests themselves stand on."""

import pytest
import redis
from django.conf import settings
from django.db import connection


@pytest.mark.django_db
def test_tests_run_on_a_recent_postgresql() -> None:
    assert connection.cursor().connection.info.server_version >= 140000


def test_tests_reach_redis() -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        assert client.ping()
