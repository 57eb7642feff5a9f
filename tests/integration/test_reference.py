"""The OpenAPI document and the reference pages, as browsers and programs get them."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import tomllib
from typing import Any

import pytest

from local.settings import ROOT
from patchbay.errors import all_problems
from tests.conftest import Answer, Api
from tests.problems import assert_problem

OPENAPI, DOCS = "/api/openapi.json", "/api/docs"


def get(api: Api, path: str, **headers: str) -> Answer:
    return api(
        f"GET {path}", token=None, headers={name.replace("_", "-"): text for name, text in headers.items()}
    )


def test_document_is_the_one_of_the_repository_with_the_deployments_origin(api: Api) -> None:
    answer = get(api, OPENAPI, host="hooks.example.com")
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    expected: dict[str, Any] = json.loads((ROOT / "openapi.json").read_text("utf-8"))
    assert answer.json() == {**expected, "servers": [{"url": "https://hooks.example.com"}]}


@pytest.mark.parametrize("path", [OPENAPI, DOCS, f"{DOCS}/errors", f"{DOCS}/reference.js"])
def test_file_is_sent_once_and_then_revalidated(api: Api, path: str) -> None:
    first = get(api, path)
    assert (first.status, first.headers["vary"]) == (200, "accept-encoding")
    assert first.headers["cache-control"] == "public, max-age=300"
    etag = first.headers["etag"]
    for tags in (etag, f'"other", {etag}', etag.removeprefix("W/"), "*"):
        again = get(api, path, if_none_match=tags)
        assert (again.status, again.text, again.headers["etag"]) == (304, "", etag)
    assert get(api, path, if_none_match='"other"').status == 200


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [
        ("gzip, deflate, br", True),
        ("*", True),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0, *", False),
        ("identity, *;q=0.1", True),
        ("br", False),
    ],
)
def test_file_is_compressed_for_clients_that_accept_it(api: Api, accepted: str, is_compressed: bool) -> None:
    answer = get(api, OPENAPI, accept_encoding=accepted)
    assert answer.headers.get("content-encoding") == ("gzip" if is_compressed else None)
    assert answer.text.startswith("{") is not is_compressed


def test_script_fits_into_a_response_only_compressed(api: Api) -> None:
    answer = get(api, f"{DOCS}/scalar.js", accept_encoding="identity")
    assert (answer.status, answer.headers["content-encoding"]) == (200, "gzip")


def test_script_is_that_of_the_recorded_package() -> None:
    record = tomllib.loads((ROOT / "tools/openapi/scalar.toml").read_text())
    script = gzip.decompress((ROOT / "layers/reference/patchbay_reference/scalar.js.gz").read_bytes())
    assert hashlib.sha256(script).hexdigest() == record["sha256"], (
        "run python -m tools.openapi.vendor VERSION"
    )


@pytest.mark.parametrize("path", [DOCS, f"{DOCS}/errors"])
def test_page_loads_nothing_from_other_origins(api: Api, path: str) -> None:
    answer = get(api, path)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; ")
    assert "//" not in policy
    assert not re.search(r'(?:src|<link[^>]*href)="(?:https?:)?//', answer.text)
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=", answer.text), "the policy would block it"
    for name in re.findall(r'(?:src|href)="(?:docs/)?([\w.]+\.(?:js|css))"', answer.text):
        assert get(api, f"{DOCS}/{name}").status == 200, name


def test_page_of_errors_has_a_section_for_the_type_of_every_problem(api: Api) -> None:
    problem = assert_problem(get(api, f"{DOCS}/nothing"), 404, None, "file must be one of ")
    page = get(api, f"{DOCS}/errors").text
    assert f'id="{problem["type"].partition("#")[2]}"' in page
    assert re.findall(r'<section id="(\w+)"', page) == [each.code for each in all_problems()]
