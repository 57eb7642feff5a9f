"""The console and the pages of connect links: what `/console` and `/connect` serve.

The files are in a separate layer, which `make console` builds from console/. The name of a file in assets/
has a hash of its content, so browsers keep it. Everything else below /console is one page, whose script reads
the path. Browsers keep no page, because each response has a new nonce, which replaces a placeholder.
"""

from __future__ import annotations

import html
import re
import secrets
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from patchbay.errors import NotFound
from patchbay.http.file import File, Html, Script, Stylesheet
from patchbay.settings import settings

_LAYER = "patchbay_console"
_ASSETS = "/console/assets/"
_FOREVER = "public, max-age=31536000, immutable"
# A path that the console's script may handle. No segment is empty or begins with a dot.
_VIEW = re.compile(r"/console(/[^/\\.\x00-\x1f][^/\\\x00-\x1f]*)*/?")
_CONNECT_PAGES = {"/connect": "connect.html", "/connect/return": "return.html"}
# A window that a page opens, such as a provider's, has no reference to that page. Only the return page keeps
# the reference to its opener: the console in a frame opens it and gets the provider's answer from it. It is
# of no use to any other opener.
_OPENER_POLICIES = {"return.html": "unsafe-none"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
)


class ConsolePage(Html):
    """A page with the nonce of its styles and the origins whose pages can show it in a frame."""

    cache_control = "no-store"


class HashedScript(Script):
    """A script whose name has the hash of its content."""

    cache_control = _FOREVER


class HashedStylesheet(Stylesheet):
    """Styles whose name has the hash of their content."""

    cache_control = _FOREVER


class HashedImage(File):
    """A drawing whose name has the hash of its content. It runs nothing where it is the page."""

    media_type = "image/svg+xml"
    cache_control = _FOREVER
    headers: Mapping[str, str] = {
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    }


Asset = HashedScript | HashedStylesheet | HashedImage
ConsoleFile = ConsolePage | Asset

_KINDS: dict[str, type[Asset]] = {"js": HashedScript, "css": HashedStylesheet, "svg": HashedImage}


def file(path: str) -> ConsoleFile:
    """The page or the asset at a decoded path. Raises NotFound."""
    if path.startswith(_ASSETS):
        return _asset(path.removeprefix(_ASSETS))
    if path in _CONNECT_PAGES:
        return _page(_CONNECT_PAGES[path], ())
    if _VIEW.fullmatch(path):
        return _page("index.html", settings().frame_ancestors)
    raise NotFound("The console has no page at this URL. Check the URL.")


def _page(name: str, ancestors: Sequence[str]) -> ConsolePage:
    nonce = secrets.token_urlsafe(16)
    text = _source(name)
    for placeholder, value in (
        ("__CSP_NONCE__", nonce),
        ("__FRAME_ANCESTORS__", " ".join(ancestors)),
    ):
        text = text.replace(placeholder, html.escape(value))
    page = ConsolePage.of(text.encode())
    policy = _POLICY.format(nonce=nonce, ancestors=" ".join(ancestors) or "'none'")
    headers = {
        "content-security-policy": policy,
        "cross-origin-opener-policy": _OPENER_POLICIES.get(name, "same-origin"),
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "referrer-policy": "no-referrer",
    }
    return page.model_copy(update={"etag": None, "headers": headers})


@cache
def _source(name: str) -> str:
    return files(_LAYER).joinpath(name).read_text("utf-8")


@cache
def _asset(name: str) -> Asset:
    stored = _assets().get(name)
    if stored is None:
        raise NotFound(
            "The console has no such file. If a page needs it, a newer version was deployed: reload the page."
        )
    return _KINDS[name.rpartition(".")[2]].of(stored.read_bytes())


@cache
def _assets() -> dict[str, Traversable]:
    """The files by their names in the path. They are compressed in the build, but not in the repository."""
    return {item.name.removesuffix(".gz"): item for item in files(_LAYER).joinpath("assets").iterdir()}
