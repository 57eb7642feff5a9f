"""Checks of a page with axe, in the light and the dark color scheme."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_SEVERE = ("serious", "critical")
_axe = Axe()


def assert_accessible(page: Page) -> None:
    """Fail if axe finds a serious or critical violation in either color scheme. The page must follow the
    system's scheme, and returns to the one that it had.
    """
    before = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    found = []
    for scheme in ("light", "dark"):
        show_scheme(page, scheme)
        found += [f"{scheme}: {problem}" for problem in violations(page)]
    show_scheme(page, "dark" if before else "light")
    assert not found, "\n".join(found)


def show_scheme(page: Page, scheme: str) -> None:
    """Set the system's preferred color scheme, and wait until the page follows it."""
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.wait_for_function(
        "scheme => getComputedStyle(document.documentElement).colorScheme === scheme", arg=scheme
    )


def violations(page: Page) -> list[str]:
    """The violations that axe rates as serious or critical: the rule and the elements of each one."""
    response = _axe.run(page).response
    found = [each for each in response["violations"] if each["impact"] in _SEVERE]
    return [
        f"{each['id']}: {each['help']}: {' | '.join(node['html'][:200] for node in each['nodes'])}"
        for each in found
    ]
