"""An address that only takes a form, opened as a page: people are led to the page it belongs to, programs get 405."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import resolve

from tests.cast import Cast

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
ID = "0192f0c4-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("address", "page"),
    [
        (f"/o/acme/runs/{ID}/cancel/", f"/o/acme/runs/{ID}/"),
        ("/o/acme/workflows/order-check/publish/?draft=3", "/o/acme/workflows/order-check/"),
        ("/o/acme/workflows/order-check/versions/3/restore/", "/o/acme/workflows/order-check/"),
        ("/o/acme/workflows/check/", "/o/acme/workflows/"),
        (f"/o/acme/workflows/order-check/triggers/{ID}/switch/", f"/o/acme/workflows/order-check/triggers/{ID}/"),
        (f"/o/acme/inbox/{ID}/decide/", f"/o/acme/inbox/{ID}/"),
        ("/o/acme/retention/preview/", "/o/acme/retention/"),
        ("/account/sessions/revoke-others/", "/account/"),
        ("/logout/", "/"),
    ],
)
def test_a_browser_is_led_to_the_page_above(cast: Cast, client: Client, address: str, page: str):
    client.force_login(cast.admin)
    assert client.get(address).status_code == 405
    assert client.get(address, headers={**BROWSER, "HX-Request": "true"}).status_code == 405
    led = client.get(address, headers=BROWSER)
    assert (led.status_code, led.url) == (302, page)
    assert resolve(page)


def test_the_page_says_that_nothing_has_been_done(cast: Cast, client: Client):
    client.force_login(cast.admin)
    page = client.get("/o/acme/retention/preview/", headers=BROWSER, follow=True)
    assert page.status_code == 200 and "only takes what a form sends" in page.text


@pytest.mark.parametrize("address", ["/hooks/acme/abc", "/api/v1/runs/batch"])
def test_addresses_of_programs_say_so(cast: Cast, client: Client, address: str):
    client.force_login(cast.admin)
    page = client.get(address, headers=BROWSER)
    assert page.status_code == 405 and "for programs" in page.text and "POST" in page.headers["Allow"]
    assert "for programs" not in client.get(address).text


def test_the_api_answers_a_wrong_method_with_a_problem_document(cast: Cast, client: Client):
    answer = client.delete("/api/v1/runs/batch")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert answer.json()["code"] == "method_not_allowed" and "POST" in answer.json()["detail"]
