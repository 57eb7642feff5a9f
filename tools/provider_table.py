"""Writes the table of providers into docs/guides/providers/index.md. `make derived`."""

from __future__ import annotations

from local.settings import ROOT
from patchbay.providers import provider as providers
from patchbay.providers.provider import Provider
from tools.page import with_tables

_PAGE = "docs/guides/providers/index.md"
TARGET = ROOT / _PAGE


def render() -> str:
    """Return the page with the table of the providers' files."""
    rows = [
        "| Provider | `provider` | Sign-in | Refresh | API |",
        "|---|---|---|---|---|",
    ]
    rows += map(_row, providers.load_all())
    return with_tables(_PAGE, "providers", rows)


def _row(provider: Provider) -> str:
    if provider.oauth is None:
        sign_in, refresh = "API key", "–"
    else:
        sign_in = "OAuth, PKCE" if provider.oauth.pkce else "OAuth"
        refresh = f"`{provider.oauth.refresh}`"
    name = f"[{provider.label}]({provider.name}.md) | `{provider.name}`"
    return f"| {name} | {sign_in} | {refresh} | {_api(provider)} |"


def _api(provider: Provider) -> str:
    """The hosts that get a connection's token."""
    if provider.api is None:
        return "–"
    return ", ".join(
        f"`{host.removeprefix('https://')}`" for host in [provider.api.base, *provider.api.hosts]
    )


if __name__ == "__main__":
    TARGET.write_text(render())
