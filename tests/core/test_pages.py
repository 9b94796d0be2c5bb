"""Signing in, one's own account, the ledger's page; and the headers every page carries."""

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.core import clock
from portal.core.actors import Actor
from portal.core.models import ApiToken, AuditEntry, SignIn
from portal.core.services import audit, tokens
from tests.cast import Cast
from tests.factories import PASSWORD, make_member, make_token

HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/o/acme/audit/?q=x"}


@pytest.fixture
def ada(cast: Cast):
    return make_member(cast.organisation, "admin", username="ada", password=PASSWORD)


def sign_in(user, **headers: str) -> Client:
    client = Client(headers=headers)
    response = client.post("/login/", {"username": user.username, "password": PASSWORD})
    assert response.status_code == 302
    client.get("/", follow=True)
    return client


# -- signing in -------------------------------------------------------------------------------------------------------


def test_sign_in_gives_a_new_session_and_leads_to_the_organisation_last_used(cast: Cast, ada):
    client = Client()
    client.get("/login/")
    before = client.session.session_key
    response = client.post("/login/", {"username": "ada", "password": PASSWORD}, follow=True)
    assert response.redirect_chain[-1][0] == "/o/acme/"
    assert client.session.session_key not in {None, before}
    make_member(cast.elsewhere, "viewer", user=ada)
    client.get("/o/elsewhere/")
    assert client.get("/").url == "/o/elsewhere/"


def test_five_wrong_passwords_lock_the_pair_of_name_and_address_only(cast: Cast, ada):
    client, elsewhere = Client(REMOTE_ADDR="203.0.113.5"), Client(REMOTE_ADDR="203.0.113.6")
    for _ in range(5):
        client.post("/login/", {"username": "ada", "password": "wrong"})
    locked = client.post("/login/", {"username": "ada", "password": PASSWORD})
    assert locked.status_code == 429 or "Too many attempts" in locked.text
    assert "_auth_user_id" not in client.session
    spoofed = client.post("/login/", {"username": "ada", "password": PASSWORD}, headers={"X-Forwarded-For": "8.8.8.8"})
    assert spoofed.status_code != 302
    assert elsewhere.post("/login/", {"username": "ada", "password": PASSWORD}).status_code == 302
    verbs = list(AuditEntry.objects.filter(organisation=None).values_list("verb", flat=True))
    assert verbs.count("core.session.locked") >= 1
    assert verbs.count("core.session.refused") <= 5
    assert "wrong" not in str(list(AuditEntry.objects.values()))


def test_signing_in_and_out_is_in_the_ledger(cast: Cast, ada):
    client = sign_in(ada)
    client.post("/logout/")
    verbs = list(AuditEntry.objects.filter(target_label="ada").order_by("id").values_list("verb", flat=True))
    assert verbs[-2:] == ["core.session.began", "core.session.ended"]
    assert client.get("/o/acme/").status_code == 302


def test_a_member_of_nothing_is_told_so(cast: Cast, client: Client):
    client.force_login(cast.homeless)
    response = client.get("/")
    assert response.status_code == 403
    assert "belong to no organisation" in response.text


# -- sessions ---------------------------------------------------------------------------------------------------------


def test_sessions_are_listed_with_their_device_and_can_be_ended_one_by_one(cast: Cast, ada):
    firefox = sign_in(ada, **{"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"})
    phone = sign_in(ada, **{"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) Version/19.0 Safari/604.1"})
    page = firefox.get("/account/").text
    assert "Firefox on Linux" in page and "Safari on iPhone" in page and "This session" in page
    other = SignIn.objects.get(user_agent__contains="iPhone")
    firefox.post(f"/account/sessions/{other.pk}/revoke/")
    assert phone.get("/o/acme/").status_code == 302
    assert firefox.get("/o/acme/").status_code == 200


def test_ending_all_others_keeps_this_one(cast: Cast, ada):
    mine, others = sign_in(ada), [sign_in(ada), sign_in(ada)]
    assert SignIn.objects.filter(user=ada).count() == 3
    mine.post("/account/sessions/revoke-others/")
    assert all(client.get("/o/acme/").status_code == 302 for client in others)
    assert mine.get("/o/acme/").status_code == 200
    assert SignIn.objects.filter(user=ada).count() == 1


def test_nobody_ends_the_sessions_of_others(cast: Cast, ada, client: Client):
    sign_in(ada)
    client.force_login(cast.superuser)
    assert client.post(f"/account/sessions/{SignIn.objects.get(user=ada).pk}/revoke/").status_code == 404


def test_a_new_password_ends_the_other_sessions(cast: Cast, ada):
    mine, other = sign_in(ada), sign_in(ada)
    new = "another long enough one"
    response = mine.post(
        "/account/password/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new}, follow=True
    )
    assert "Password changed" in response.text
    assert mine.get("/o/acme/").status_code == 200
    assert other.get("/o/acme/").status_code == 302
    assert "This session" in mine.get("/account/").text
    assert AuditEntry.objects.filter(verb="core.password.changed").exists()


def test_the_busiest_session_ends_after_thirty_days(cast: Cast, ada):
    client, now = sign_in(ada), clock.now()
    for days in range(0, 40, 5):
        with clock.fixed(now + timedelta(days=days, minutes=2)):
            status = client.get("/account/").status_code
            assert status == (200 if days <= 30 else 302), days


def test_a_sign_of_life_is_written_once_a_minute(cast: Cast, ada):
    client = sign_in(ada)
    seen, now = SignIn.objects.get(user=ada).seen_at, clock.now()
    client.get("/account/")
    assert SignIn.objects.get(user=ada).seen_at == seen
    with clock.fixed(now + timedelta(minutes=2)):
        client.get("/account/")
    assert SignIn.objects.get(user=ada).seen_at > seen


# -- tokens -----------------------------------------------------------------------------------------------------------


def test_a_token_is_made_on_the_page_and_shown_once(cast: Cast, client: Client):
    client.force_login(cast.by_role["operator"])
    made = client.post(
        "/account/tokens/",
        {
            "name": "import",
            "organisation": cast.organisation.pk,
            "lifetime": "30",
            "scopes": ["runs.view", "runs.start"],
        },
    )
    assert made.status_code == 200
    text = re.search(r"ens_[0-9a-f]{8}_[\w-]{43}", made.text)
    assert text and tokens.authenticate(text.group())
    assert text.group() not in client.get("/account/tokens/").text
    token = ApiToken.objects.get()
    assert token.scopes == ["runs.start", "runs.view"]
    client.post(f"/account/tokens/{token.pk}/revoke/")
    assert tokens.authenticate(text.group()) is None


def test_a_token_is_not_made_beyond_ones_rights_or_in_foreign_organisations(cast: Cast, client: Client):
    client.force_login(cast.by_role["operator"])
    data = {"name": "x", "organisation": cast.organisation.pk, "lifetime": "", "scopes": ["secrets.manage"]}
    refused = client.post("/account/tokens/", data)
    assert refused.status_code == 422 and "does not have the right" in refused.text
    refused = client.post("/account/tokens/", {**data, "organisation": cast.elsewhere.pk, "scopes": []})
    assert refused.status_code == 422
    client.force_login(cast.viewer)  # has no right to create tokens at all
    assert client.post("/account/tokens/", {**data, "scopes": []}).status_code == 422
    assert not ApiToken.objects.exists()


def test_nobody_sees_or_revokes_the_tokens_of_others(cast: Cast, client: Client):
    token = make_token(cast.organisation, cast.admin).token
    client.force_login(cast.stranger)
    assert token.prefix not in client.get("/account/tokens/").text
    assert client.post(f"/account/tokens/{token.pk}/revoke/").status_code == 404


# -- the ledger's page ------------------------------------------------------------------------------------------------


def test_the_ledger_shows_before_and_after_and_filters(cast: Cast, client: Client):
    for number in range(60):
        audit.record(
            organisation=cast.organisation,
            actor=Actor.command(),
            verb="test.thing.renamed",
            target_label=f"thing {number}",
            before={"name": f"old <b>{number}</b>"},
            after={"name": f"new {number}"},
        )
    client.force_login(cast.by_role["compliance-officer"])
    page = client.get("/o/acme/audit/").text
    assert "thing 59" in page and "thing 5<" not in page and "old &lt;b&gt;59&lt;/b&gt;" in page
    older = re.search(r'href="(\?before=\d+)"', page)
    assert older and "thing 9" in client.get(f"/o/acme/audit/{older.group(1)}").text
    rows = client.get("/o/acme/audit/?q=thing+7", headers={"HX-Request": "true"}).text
    assert "thing 7" in rows and "thing 8" not in rows and "<html" not in rows
    assert "No entries" in client.get("/o/acme/audit/?area=approvals").text
    assert client.get("/o/acme/audit/?since=nonsense&before=-4&area=moon").status_code == 200


def test_ten_more_rows_cost_no_more_queries(cast: Cast, client: Client, django_assert_max_num_queries):
    client.force_login(cast.admin)
    client.get("/o/acme/audit/")
    with CaptureQueriesContext(connection) as before:
        client.get("/o/acme/audit/")
    for _ in range(30):
        audit.record(organisation=cast.organisation, actor=Actor.command(), verb="test.thing.happened")
    with django_assert_max_num_queries(len(before)):
        client.get("/o/acme/audit/")


def test_the_page_shows_one_organisations_entries_only(cast: Cast, client: Client):
    audit.record(
        organisation=cast.elsewhere, actor=Actor.command(), verb="test.thing.happened", target_label="secret plan"
    )
    client.force_login(cast.admin)
    assert "secret plan" not in client.get("/o/acme/audit/").text


def test_whoever_may_read_the_ledger_may_verify_it(cast: Cast, client: Client):
    client.force_login(cast.by_role["compliance-officer"])
    assert "The ledger is sound" in client.post("/o/acme/audit/verify/", follow=True).text
    client.force_login(cast.viewer)
    assert client.post("/o/acme/audit/verify/").status_code == 403


# -- what every page carries ------------------------------------------------------------------------------------------


def test_refusals_name_the_missing_permission(cast: Cast, client: Client):
    client.force_login(cast.viewer)
    page = client.get("/o/acme/audit/")
    assert page.status_code == 403
    assert "Read the audit ledger" in page.text and "audit.view" in page.text
    partial = client.get("/o/acme/audit/", headers=HTMX)
    assert partial.status_code == 403
    assert partial["Content-Type"].startswith("text/plain") and "Read the audit ledger" in partial.text


def test_htmx_without_a_session_is_taken_to_the_login_and_back_to_its_page(cast: Cast, client: Client):
    response = client.get("/o/acme/audit/", headers=HTMX)
    assert response["HX-Redirect"] == "/login/?next=/o/acme/audit/%3Fq%3Dx"
    response = client.get("/o/acme/audit/?q=x")
    assert (response.status_code, response.url) == (302, "/login/?next=/o/acme/audit/%3Fq%3Dx")


def test_every_page_has_a_policy_with_a_fresh_nonce_and_stays_out_of_caches(cast: Cast, client: Client):
    client.force_login(cast.admin)
    policies = []
    for _ in range(2):
        response = client.get("/o/acme/audit/")
        policies.append(response["Content-Security-Policy"])
        assert response["Cache-Control"] == "no-store, private"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["X-Frame-Options"] == "DENY"
        assert response["Referrer-Policy"] == "same-origin"
    for directive in (
        "default-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "'nonce-",
    ):
        assert directive in policies[0]
    assert "unsafe-inline" not in policies[0] and "unsafe-eval" not in policies[0]
    assert policies[0] != policies[1]


def test_each_answer_has_a_request_id_and_a_harmless_one_is_kept(client: Client, db):
    assert re.fullmatch(r"[0-9a-f]{32}", client.get("/health/live")["X-Request-ID"])
    assert client.get("/health/live", headers={"X-Request-ID": "abc-12345"})["X-Request-ID"] == "abc-12345"
    evil = client.get("/health/live", headers={"X-Request-ID": "x\ny{}" * 9})["X-Request-ID"]
    assert re.fullmatch(r"[0-9a-f]{32}", evil)


def test_a_post_without_a_token_is_refused_and_htmx_loads_the_page_again(cast: Cast):
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.admin)
    page = client.post("/o/acme/audit/verify/")
    assert page.status_code == 403 and "form is too old" in page.text
    partial = client.post("/o/acme/audit/verify/", headers=HTMX)
    assert partial.status_code == 403
    assert partial["HX-Refresh"] == "true" and "toast" in partial["HX-Trigger"]


@pytest.mark.parametrize("path", ["/account/tokens/", "/o/acme/audit/", "/account/", "/o/acme/"])
def test_no_inline_style_or_handler_is_on_any_page(cast: Cast, client: Client, path: str):
    client.force_login(cast.admin)
    page = client.get(path).text
    assert not re.search(r"<[^>]+\son[a-z]+\s*=", page)
    assert not re.search(r"<[^>]+\sstyle\s*=", page)


@pytest.mark.parametrize(
    ("path", "headers", "words"),
    [
        ("/o/acme/audit/", {}, "<h1>The database does not answer just now</h1>"),
        ("/o/acme/audit/", {"HX-Request": "true"}, "The database does not answer just now. Try again in some seconds."),
        ("/api/v1/runs", {"Authorization": "Bearer ens_x"}, '"code": "database_away"'),
    ],
    ids=["page", "htmx", "api"],
)
def test_a_database_that_is_away_is_no_fault_of_the_portal(
    cast: Cast, client: Client, path: str, headers: dict[str, str], words: str, monkeypatch
):
    def cursor(self: object) -> None:
        raise OperationalError("couldn't get a connection after 5.00 sec")

    client.raise_request_exception = False
    client.cookies[settings.SESSION_COOKIE_NAME] = "of-somebody-who-is-signed-in"
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(BaseDatabaseWrapper, "cursor", cursor)
        answer = client.get(path, headers=headers)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert words in answer.text and "connection" not in answer.text


def test_an_error_page_gives_a_reference_and_no_detail(cast: Cast, client: Client, monkeypatch):
    from portal.core import queries

    def explode(*_: object) -> None:
        raise RuntimeError("the inside story")

    monkeypatch.setattr(queries, "audit_page", explode)
    client.force_login(cast.admin)
    client.raise_request_exception = False
    response = client.get("/o/acme/audit/")
    assert response.status_code == 500
    assert "inside story" not in response.text and response["X-Request-ID"] in response.text
