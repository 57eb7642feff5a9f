"""The built site in Chromium: pages request nothing from other hosts, fit on a phone, and are accessible."""

from __future__ import annotations

import functools
import http.server
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Request

from local.settings import ROOT
from tests.console.accessibility import violations
from tools import chromium

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1360, "height": 900}
# A page of each kind: the home page, tabs with code, a diagram, the API, a long table.
KINDS = (
    "",
    "guides/webhooks/receive/",
    "concepts/deliveries/",
    "reference/api/webhooks/",
    "reference/configuration/",
)
BROKEN_IMAGES = "() => [...document.images].filter(each => !each.naturalWidth).map(each => each.src)"
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
SHOWN_DIAGRAMS = (
    "() => [...document.querySelectorAll('.diagram svg')].filter(each => each.checkVisibility()).length"
)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Print nothing for a request."""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "CHROMIUM": str(chromium.find()), "NO_MKDOCS_2_WARNING": "1"}
    environment.pop("PYTHONPATH", None)
    command = [
        str(ROOT / ".tools/docs/bin/mkdocs"),
        "build",
        "--no-strict",
        "--quiet",
        "--site-dir",
        str(folder),
    ]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return folder


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Use this machine's Chromium, because Playwright's own is not installed."""
    return {**browser_type_launch_args, "executable_path": chromium.find()}


def pages(site: Path) -> list[str]:
    found = sorted(file.parent.relative_to(site).as_posix() for file in site.rglob("index.html"))
    return ["" if path == "." else f"{path}/" for path in found]


@pytest.mark.timeout(600)
def test_every_page_in_a_browser(site: Path, address: str, browser: Browser) -> None:
    context = browser.new_context(viewport=PHONE, reduced_motion="reduce")
    page = context.new_page()
    faults: list[str] = []
    requested: list[tuple[str, str]] = []
    failed: list[tuple[str, str]] = []
    errors: list[tuple[str, str]] = []
    page.on("request", lambda sent: requested.append((page.url, sent.url)))
    page.on("requestfailed", lambda sent: failed.extend(_failure(page.url, sent)))
    # The theme requests a sitemap next to each page, and works without it.
    page.on(
        "response",
        lambda got: failed.extend(
            [(page.url, got.url)] if got.status >= 400 and not got.url.endswith("/sitemap.xml") else []
        ),
    )
    page.on("pageerror", lambda error: errors.append((page.url, str(error))))
    every = pages(site)
    assert len(every) > 130
    for path in every:
        page.goto(f"{address}/{path}")
        if wide := page.evaluate(TOO_WIDE):
            faults.append(f"{path} is {wide} px wider than a phone")
        if broken := page.evaluate(BROKEN_IMAGES):
            faults.append(f"{path}: broken images: {broken}")
        if page.locator("h1").count() != 1:
            faults.append(f"{path} has {page.locator('h1').count()} titles")
    context.close()
    own = (address, "data:", "blob:")
    assert [each for each in requested if not each[1].startswith(own)] == []
    assert failed == []
    assert errors == []
    assert faults == []


def _failure(page: str, sent: Request) -> list[tuple[str, str]]:
    """Return a failed request, but not one that the navigation to the next page ended."""
    return [] if sent.failure == "net::ERR_ABORTED" else [(page, f"{sent.url}: {sent.failure}")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_diagrams_follow_the_palette(site: Path, address: str, browser: Browser, scheme: str) -> None:
    context = browser.new_context(viewport=DESKTOP, color_scheme=scheme)
    page = context.new_page()
    drawn = [path for path in pages(site) if 'class="diagram"' in (site / path / "index.html").read_text()]
    assert len(drawn) >= 10
    for path in drawn:
        page.goto(f"{address}/{path}")
        assert page.evaluate(SHOWN_DIAGRAMS) == page.locator("figure.diagram").count(), path
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", KINDS)
def test_page_is_accessible(address: str, browser: Browser, path: str, scheme: str) -> None:
    context = browser.new_context(viewport=DESKTOP, color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    shown = page.goto(f"{address}/{path}")
    assert shown is not None
    assert shown.ok
    found = violations(page)
    context.close()
    assert not found, "\n".join(found)


def test_search_finds_a_page(address: str, browser: Browser) -> None:
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    page.goto(address)
    page.locator(".md-search__input").click()
    page.locator(".md-search__input").fill("rotate signing secret")
    page.wait_for_selector(".md-search-result__item")
    assert "signing-secrets" in str(page.locator(".md-search-result__link").first.get_attribute("href"))
    context.close()


def test_programs_find_every_page(site: Path) -> None:
    index, full = (site / "llms.txt").read_text(), (site / "llms-full.txt").read_text()
    listed = re.findall(r"\]\(([^)]+\.md)\)", index)
    assert len(listed) == len(pages(site)), "a page for each copy"
    for name in listed:
        copy = (site / name).read_text()
        assert copy in full
        assert "<!-- test:" not in copy
        assert not re.search(r"<!--\s*```", copy), f"{name} shows a hidden block"
