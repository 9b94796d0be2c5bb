"""API tokens: kept as a hash, limited by scope and role, useless once expired or revoked."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from portal.core import clock
from portal.core.actors import Actor
from portal.core.errors import NotAllowed, UserError
from portal.core.models import ApiToken, AuditEntry
from portal.core.services import tokens
from tests.cast import Cast
from tests.factories import make_token


def test_a_token_is_found_by_its_text_and_only_its_hash_is_kept(cast: Cast):
    new = make_token(cast.organisation, cast.admin)
    assert tokens.authenticate(new.text) == new.token
    row = ApiToken.objects.values().get()
    assert not any(new.text.split("_", 2)[2] in str(value) for value in row.values())
    assert new.text.split("_", 2)[2] not in str(AuditEntry.objects.values_list())


@pytest.mark.parametrize(
    "damage", [lambda t: t[:-1], lambda t: t + "x", lambda t: t.upper(), lambda t: "ens_x", lambda t: ""]
)
def test_a_wrong_token_is_refused(cast: Cast, damage):
    assert tokens.authenticate(damage(make_token(cast.organisation, cast.admin).text)) is None


def test_expired_and_revoked_tokens_are_refused(cast: Cast):
    now = clock.now()
    new = make_token(cast.organisation, cast.admin, expires_at=now + timedelta(days=1))
    with clock.fixed(now + timedelta(days=1)):
        assert tokens.authenticate(new.text) is None
    assert tokens.authenticate(new.text)
    tokens.revoke_token(token=new.token, actor=Actor.command())
    tokens.revoke_token(token=new.token, actor=Actor.command())
    assert tokens.authenticate(new.text) is None
    assert AuditEntry.objects.filter(verb="core.token.revoked").count() == 1


def test_a_token_dies_with_its_user_and_its_organisation(cast: Cast):
    new = make_token(cast.organisation, cast.admin)
    cast.organisation.is_active = False
    cast.organisation.save()
    assert tokens.authenticate(new.text) is None
    cast.organisation.is_active = True
    cast.organisation.save()
    cast.admin.is_active = False
    cast.admin.save()
    assert tokens.authenticate(new.text) is None


def test_last_use_is_noted_once_a_minute(cast: Cast, django_assert_num_queries):
    new, now = make_token(cast.organisation, cast.admin), clock.now()
    with clock.fixed(now):
        with django_assert_num_queries(2):
            tokens.authenticate(new.text)
        with django_assert_num_queries(1):
            tokens.authenticate(new.text)
    with clock.fixed(now + timedelta(seconds=61)):
        tokens.authenticate(new.text)
    assert ApiToken.objects.get().last_used_at == now + timedelta(seconds=61)


def test_scopes_beyond_the_users_rights_or_unknown_are_refused(cast: Cast):
    with pytest.raises(NotAllowed):
        make_token(cast.organisation, cast.viewer, ["runs.start"])
    with pytest.raises(UserError, match="Unknown scope"):
        make_token(cast.organisation, cast.admin, ["moon.fly"])


def test_the_command_prints_a_token_that_works(cast: Cast):
    out = StringIO()
    call_command("token", user="operator", org="acme", scope=["runs.view", "runs.start"], days=30, stdout=out)
    found = tokens.authenticate(out.getvalue().strip())
    assert found is not None
    assert (found.user.username, found.scopes) == ("operator", ["runs.start", "runs.view"])
    assert found.expires_at is not None and found.expires_at > clock.now() + timedelta(days=29)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"user": "nobody", "org": "acme"}, "no active user named 'nobody'"),
        ({"user": "viewer", "org": "nowhere"}, "no organisation 'nowhere'"),
        ({"user": "stranger", "org": "acme"}, "not a member"),
        ({"user": "viewer", "org": "acme", "scope": ["runs.start"]}, "does not have the right 'runs.start'"),
        ({"user": "viewer", "org": "acme", "days": 0}, "at least 1"),
    ],
)
def test_the_command_says_what_is_wrong(cast: Cast, options: dict, said: str):
    with pytest.raises(CommandError, match=said):
        call_command("token", **options, stdout=StringIO())
