"""Writes the table of providers into docs/connections.md. `make derived`."""

from __future__ import annotations

import re
from pathlib import Path

from patchbay.providers import provider as providers
from patchbay.providers.provider import Provider

TARGET = Path(__file__).resolve().parent.parent / "docs/connections.md"
_PLACE = re.compile(r"(?<=<!-- providers:begin -->\n).*?(?=<!-- providers:end -->)", re.DOTALL)


def render() -> str:
    """The page with the table as the providers' files have it."""
    rows = ["| `provider` | | Type | Sign-in | Refresh |", "|---|---|---|---|---|"]
    loaded = (providers.load(name) for name in providers.names())
    rows += [_row(provider) for provider in loaded if provider is not None]
    return _PLACE.sub("\n".join(rows) + "\n", TARGET.read_text())


def _row(provider: Provider) -> str:
    if provider.oauth is None:
        sign_in, refresh = "credentials", "–"
    else:
        sign_in = "OAuth, PKCE" if provider.oauth.pkce else "OAuth"
        refresh = provider.oauth.refresh
    name = f"`{provider.name}` | [{provider.label}]({provider.docs})"
    return f"| {name} | {provider.type} | {sign_in} | {refresh} |"


if __name__ == "__main__":
    TARGET.write_text(render())
