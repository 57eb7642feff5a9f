"""The harness detects misbehaving pages. Each page here misbehaves in one way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, Route

from tests.console.accessibility import assert_accessible
from tests.console.console import assert_inert
from tests.console.watch import Watch, api_calls

POLICY = "default-src 'none'; script-src 'self' 'nonce-n'; style-src 'nonce-n'; connect-src *; img-src *"
HEAD = '<html lang="en"><title>Test</title><style nonce="n">:root { color-scheme: light } '
HEAD += "@media (prefers-color-scheme: dark) { :root { color-scheme: dark } }</style>"


PageOf = Callable[[str], Page]


@pytest.fixture
def page_of(context: BrowserContext, watch: Watch) -> PageOf:
    """Shows HTML at a path of the console, with a policy like the console's. Other requests get a 404."""

    def show(body: str) -> Page:
        def answer(route: Route) -> None:
            if route.request.is_navigation_request():
                headers = {"content-security-policy": POLICY, "content-type": "text/html; charset=utf-8"}
                route.fulfill(status=200, headers=headers, body=HEAD + body)
            else:
                route.fulfill(status=404, body="")

        context.route("**/*", answer)
        page = context.new_page()
        page.goto("/console/test")
        page.wait_for_load_state("networkidle")
        return page

    return show


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ("<img alt='' src=x onerror=alert(1)>", ["violation: script-src-attr", "response: 404"]),
        ("<script>alert(1)</script>", ["violation: script-src-elem"]),
        ("<p style='color: red'>x</p>", ["violation: style-src-attr"]),
        ("<script nonce=n>alert(1)</script>", ["dialog: 1"]),
        ("<script nonce=n>null.x</script>", ["script error: .*null"]),
        ("<script nonce=n>console.error('bad')</script>", ["console error: bad"]),
        ("<script nonce=n>fetch('https://evil.example/x').catch(() => {})</script>", ["other origin: GET"]),
        ("<script nonce=n>fetch('/api/nothing')</script>", ["response: 404 GET"]),
        ("<iframe title=x src='https://evil.example'></iframe>", ["violation: frame-src"]),
        ("<script nonce=n>fetch('/api/me?key=sk_test_0123456789abcdef')</script>", ["secret in an address"]),
    ],
)
def test_watch_sees_it(page_of: PageOf, watch: Watch, body: str, problems: list[str]) -> None:
    with watch.expecting(*problems, "."):  # the browser also reports most of them in its console
        page_of(body)


@pytest.mark.parametrize("storage", ["localStorage", "sessionStorage"])
def test_watch_sees_a_token_that_a_page_stores(page_of: PageOf, watch: Watch, storage: str) -> None:
    page = page_of(f"<script nonce=n>{storage}.token = 'pses_abc_def'</script>")
    with pytest.raises(AssertionError, match="a secret in"):
        watch.check()
    page.close()
    watch.problems.clear()


def test_watch_sees_nothing_where_nothing_is(page_of: PageOf, watch: Watch) -> None:
    page = page_of("<main><h1>Quiet</h1><script nonce=n>document.title = 'Fine'</script></main>")
    assert page.title() == "Fine"
    assert_inert(page)
    assert_accessible(page)
    assert api_calls(watch.requests) == []
    watch.check()


def test_axe_finds_a_button_without_a_name(page_of: PageOf) -> None:
    page = page_of("<main><h1>Page</h1><button></button></main>")
    with pytest.raises(AssertionError, match=r"light: button-name(.|\n)*dark: button-name"):
        assert_accessible(page)


@pytest.mark.parametrize(
    "body",
    [
        "<p data-hostile>parsed</p>",
        "<a href='JavaScript:alert(1)'>x</a>",
        "<a href='https://evil.example/'>x</a>",
        "<script nonce=n>window.hostile = 1</script>",
        f"<p>{'W' * 1000}</p>",
    ],
)
def test_text_that_became_a_part_of_the_page_is_found(page_of: PageOf, body: str) -> None:
    with pytest.raises(AssertionError):
        assert_inert(page_of(body))
