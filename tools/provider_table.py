"""Writes the table of providers into docs/connections.md. `make derived`."""

from __future__ import annotations

from local.settings import ROOT
from patchbay.providers import provider as providers
from patchbay.providers.provider import Provider
from tools.page import with_tables

_PAGE = "docs/connections.md"
TARGET = ROOT / _PAGE


def render() -> str:
    """Return the page with the table of the providers' files."""
    rows = ["| `provider` | | Type | Sign-in | Refresh | API |", "|---|---|---|---|---|---|"]
    rows += map(_row, providers.load_all())
    return with_tables(_PAGE, "providers", rows)


def _row(provider: Provider) -> str:
    if provider.oauth is None:
        sign_in, refresh = "credentials", "–"
    else:
        sign_in = "OAuth, PKCE" if provider.oauth.pkce else "OAuth"
        refresh = provider.oauth.refresh
    name = f"`{provider.name}` | [{provider.label}]({provider.docs})"
    return f"| {name} | {provider.type} | {sign_in} | {refresh} | {_api(provider)} |"


def _api(provider: Provider) -> str:
    """The hosts that get a connection's token."""
    if provider.api is None:
        return "–"
    return ", ".join(
        f"`{host.removeprefix('https://')}`" for host in [provider.api.base, *provider.api.hosts]
    )


if __name__ == "__main__":
    TARGET.write_text(render())
