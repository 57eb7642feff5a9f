"""The pages and files of the console and of connect links, as browsers get them.

Most tests use a small bundle. The tests at the end check the real one.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

from local import gateway
from local.settings import ROOT
from patchbay import console
from patchbay.settings import settings
from tests.conftest import Answer, Api, Backend
from tests.problems import assert_problem

PAGE = """<!doctype html><html><head>
<meta name="csp-nonce" content="__CSP_NONCE__">
<meta name="frame-ancestors" content="__FRAME_ANCESTORS__">
</head><body>NAME</body></html>"""
SCRIPT = "console.log('é');\n" * 100
BUNDLE = ROOT / "layers/console/patchbay_console"
PAGES = ["/console", "/connect", "/connect/return"]


def clear_caches() -> None:
    console._source.cache_clear()
    console._asset.cache_clear()
    console._assets.cache_clear()
    sys.modules.pop("patchbay_console", None)


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small bundle that replaces the real one."""
    folder = tmp_path / "patchbay_console"
    (folder / "assets").mkdir(parents=True)
    for name in ("index", "connect", "return"):
        (folder / f"{name}.html").write_text(PAGE.replace("NAME", name))
    (folder / "manifest.json").write_text("{}")
    (folder / "assets/index-B7c.js").write_text(SCRIPT)
    (folder / "assets/index-A1b.css.gz").write_bytes(gzip.compress(b"a{}", mtime=0))
    (folder / "assets/logo-D3e.svg").write_text("<svg/>")
    monkeypatch.syspath_prepend(tmp_path)
    clear_caches()
    yield folder
    clear_caches()


def get(api: Api, path: str, method: str = "GET", **headers: str) -> Answer:
    sent = {name.replace("_", "-"): text for name, text in headers.items()}
    return api(f"{method} {path}", token=None, headers=sent)


def policy_of(answer: Answer) -> dict[str, str]:
    """The values of the Content-Security-Policy by directive."""
    directives = answer.headers["content-security-policy"].split("; ")
    return {name: value for name, _, value in (each.partition(" ") for each in directives)}


def meta(answer: Answer, name: str) -> str:
    found = re.search(f'<meta name="{name}" content="([^"]*)"', answer.text)
    assert found is not None
    return found[1]


@pytest.mark.usefixtures("bundle")
@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/console", "index"),
        ("/console/webhooks", "index"),
        ("/console/webhooks/whk_1/deliveries", "index"),
        ("/console/webhooks/", "index"),
        ("/console/events/a.b%20c", "index"),
        ("/console/assets", "index"),
        ("/connect", "connect"),
        ("/connect/return", "return"),
    ],
)
def test_every_view_is_a_page_that_nobody_keeps(api: Api, path: str, page: str) -> None:
    answer = get(api, path)
    assert answer.status == 200
    assert f"<body>{page}</body>" in answer.text
    assert not re.search("__[A-Z]", answer.text.replace(meta(answer, "csp-nonce"), "")), (
        "a placeholder is left"
    )
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    opener = "unsafe-none" if page == "return" else "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == opener
    assert "camera=()" in answer.headers["permissions-policy"]
    head = get(api, path, "HEAD")
    assert (head.status, head.text, head.headers.keys()) == (200, "", answer.headers.keys())


@pytest.mark.usefixtures("bundle")
@pytest.mark.parametrize("path", PAGES)
def test_policy_permits_own_files_and_styles_with_the_nonce_of_this_response(api: Api, path: str) -> None:
    first, second = get(api, path), get(api, path)
    nonce = meta(first, "csp-nonce")
    assert len(nonce) >= 22  # 128 bits
    assert nonce != meta(second, "csp-nonce")
    assert policy_of(first) == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": f"'self' 'nonce-{nonce}'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


@pytest.mark.usefixtures("bundle")
@pytest.mark.parameters(ConsoleFrameAncestors="https://app.example.com,http://localhost:3000")
def test_only_the_console_can_be_in_a_frame_of_the_platforms_pages(
    api: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = dict(backend.template.functions()["GetConsoleFileFunction"].environment)
    monkeypatch.setenv("CONSOLE_FRAME_ANCESTORS", own["CONSOLE_FRAME_ANCESTORS"])
    settings.cache_clear()
    answer = get(api, "/console/webhooks")
    assert policy_of(answer)["frame-ancestors"] == "https://app.example.com http://localhost:3000"
    assert meta(answer, "frame-ancestors") == "https://app.example.com http://localhost:3000"
    for path in ("/connect", "/connect/return"):
        answer = get(api, path)
        assert policy_of(answer)["frame-ancestors"] == "'none'"
        assert meta(answer, "frame-ancestors") == ""


@pytest.mark.parametrize(
    "value",
    [
        "https://app.example.com/",
        "https://*.example.com",
        "app.example.com",
        "https://a.example; script-src *",
        "https://a.example 'unsafe-inline'",
        "https://a.example,",
        "javascript:alert(1)",
        '"https://a.example',
    ],
)
def test_parameter_takes_only_origins(value: str) -> None:
    rules = yaml_parse((ROOT / "template.yaml").read_text())["Parameters"]["ConsoleFrameAncestors"]
    assert re.fullmatch(rules["AllowedPattern"], "https://app.example.com,http://localhost:3000")
    assert not re.fullmatch(rules["AllowedPattern"], value)


@pytest.mark.usefixtures("bundle")
@pytest.mark.parametrize(
    ("name", "kind", "content"),
    [
        ("index-B7c.js", "text/javascript", SCRIPT),
        ("index-A1b.css", "text/css", "a{}"),
        ("logo-D3e.svg", "image/svg+xml", "<svg/>"),
    ],
)
def test_asset_is_kept_for_a_year(api: Api, name: str, kind: str, content: str) -> None:
    answer = get(api, f"/console/assets/{name}", accept_encoding="identity")
    assert (answer.status, answer.text) == (200, content)
    assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    again = get(api, f"/console/assets/{name}", if_none_match=answer.headers["etag"])
    assert (again.status, again.text) == (304, "")
    compressed = get(api, f"/console/assets/{name}", accept_encoding="gzip, br")
    assert compressed.headers["content-encoding"] == "gzip"
    assert get(api, f"/console/assets/{name}", "HEAD").status == 200


@pytest.mark.usefixtures("bundle")
def test_drawing_that_is_opened_as_a_page_runs_nothing(api: Api) -> None:
    policy = policy_of(get(api, "/console/assets/logo-D3e.svg"))
    assert policy == {"default-src": "'none'", "style-src": "'unsafe-inline'"}


@pytest.mark.usefixtures("bundle")
@pytest.mark.parametrize(
    "path",
    [
        "/console/assets/missing-A1b.js",
        "/console/assets/index-A1b.css.gz",
        "/console/assets/../index.html",
        "/console/assets/..%2Findex.html",
        "/console/assets/%2e%2e/manifest.json",
        "/console/assets/sub/index-B7c.js",
        "/console/assets//index-B7c.js",
        "/console/assets/index-B7c.js/",
        "/console/assets/index-B7c.js%00",
        "/console/..",
        "/console/../api/health",
        "/console/..%2F..%2Fetc%2Fpasswd",
        "/console/%2e%2e%2fconnect",
        "/console/.env",
        "/console/a/.git/config",
        "/console//evil.example",
        "/console/%2F%2Fevil.example",
        "/console/a%5Cb",
        "/console/a%00",
        "/console/a%0d%0ab",
        "/connect/x",
        "/connect/return/",
        "/connect/assets/index-B7c.js",
        "/connect/manifest.json",
    ],
)
def test_other_paths_are_not_found(api: Api, path: str) -> None:
    answer = get(api, path)
    assert_problem(answer, 404, "not_found")
    assert answer.headers["cache-control"] == "no-store"


def test_slash_after_the_console_is_told_the_right_path(api: Api) -> None:
    assert_problem(get(api, "/console/"), 404, None, "a trailing slash. Use /console.")


def test_literal_path_precedes_the_rest_of_a_path() -> None:
    paths = ["", "/console/{file+}", "/console", "/console/{id}/x", "/console/a/{file+}"]
    found = gateway.Api(tuple(gateway.Route("GET", path, path, 1) for path in paths), None)
    for path, expected, parameters in (
        ("/console", "/console", {}),
        ("/console/b", "/console/{file+}", {"file": "b"}),
        ("/console/b/x", "/console/{id}/x", {"id": "b"}),
        ("/console/a/b", "/console/a/{file+}", {"file": "b"}),
        ("/console/b%2Fc/d", "/console/{file+}", {"file": "b/c/d"}),
    ):
        match = found.match("GET", path)
        assert match is not None
        assert (match[0].path, match[1]) == (expected, parameters), path


# ── the bundle that is served ──


def assets() -> list[Path]:
    return sorted((BUNDLE / "assets").iterdir())


def test_bundle_has_the_pages_and_only_files_that_can_be_served(api: Api) -> None:
    assert {file.name for file in BUNDLE.iterdir() if file.name != "__pycache__"} == {
        "assets",
        "connect.html",
        "index.html",
        "manifest.json",
        "return.html",
    }
    for file in assets():
        assert re.fullmatch(r"[\w.-]+-[\w-]{8,}\.(js|css|svg)", file.name), f"{file.name} has no hash"
        answer = get(api, f"/console/assets/{file.name}", accept_encoding="identity")
        assert answer.text == file.read_text("utf-8")


@pytest.mark.parametrize("path", PAGES)
def test_page_of_the_bundle_loads_only_its_own_assets(api: Api, path: str) -> None:
    answer = get(api, path)
    text = re.sub(r'assets/\S+|<meta name="csp-nonce".*', "", answer.text)
    assert "__" not in text, "a placeholder is left"
    loaded = re.findall(r'<(?:script|link)\b[^>]*(?:src|href)="([^"]*)"', answer.text)
    assert any(each.endswith(".js") for each in loaded)
    for each in loaded:
        if each != "data:,":
            assert get(api, each).status == 200, each
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", answer.text), (
        "the policy would block it"
    )


def test_manifest_is_not_served(api: Api) -> None:
    assert json.loads((BUNDLE / "manifest.json").read_text())
    assert_problem(get(api, "/connect/manifest.json"), 404)
    assert "<html" in get(api, "/console/manifest.json").text
