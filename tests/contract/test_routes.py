"""The generated table of routes, HEAD, the responses to unknown routes, `Location` and CORS."""

from __future__ import annotations

import re

import pytest

from local import gateway
from local.direct import handler_of
from local.settings import REQUIRED_PARAMETERS, ROOT
from local.template import Template
from patchbay.http.response import EXPOSED_HEADERS
from tests.conftest import Api, routes_of
from tests.problems import assert_problem
from tools import routes

TEMPLATE = Template(
    ROOT / "template.yaml",
    {**REQUIRED_PARAMETERS, "CorsOrigins": "https://app.platform.example"},
)
API = gateway.read(TEMPLATE)


def test_route_table_is_up_to_date() -> None:
    assert routes.TARGET.read_text() == routes.render(), "stale: run `make derived`"


def test_every_get_route_has_a_head_route_with_the_same_function() -> None:
    """API Gateway does not send HEAD requests to GET routes. To add one for HEAD, give the GET route an
    anchor (`get: &Name`), and write `head: *Name` below it.
    """
    functions = {
        method: {route.path: route.function for route in API.routes if route.method == method}
        for method in ("GET", "HEAD")
    }
    assert functions["HEAD"] == functions["GET"]


LINKS = {"POST /api/portal/sessions", "POST /api/connect/sessions"}


def test_endpoint_that_creates_names_the_location_of_a_get_route() -> None:
    functions = TEMPLATE.functions()
    gets = {re.sub(r"{\w+}", "{}", route.path) for route in routes_of(TEMPLATE) if route.method == "GET"}
    located = set()
    for route in routes_of(TEMPLATE):
        endpoint = handler_of(functions[route.function]).endpoint
        if endpoint["located"] is not None:
            located.add(route.key)
            assert re.sub(r"{\w+}", "{}", endpoint["located"]) in gets, route.key
        elif route.key not in LINKS:  # links are shown once, and have no GET route
            assert endpoint["status"] != 201, f"{route.key}: name the path of what it creates (located=…)"
    assert {
        "POST /api/events",
        "POST /api/integrations/oauth/callback",
        "POST /api/automations/{platform}/actions/{key}",
    } <= located


def test_cors_exposes_the_headers_of_responses() -> None:
    assert API.cors is not None
    assert API.cors.expose == EXPOSED_HEADERS
    assert set(API.cors.methods) == {route.method for route in API.routes if route.path}
    answered = dict(API.cors.answer("https://app.platform.example"))  # from the local gateway
    assert answered["access-control-expose-headers"] == ",".join(EXPOSED_HEADERS)


@pytest.mark.parametrize(
    ("line", "allow"),
    [
        ("PATCH /api/events", "GET, HEAD, POST"),
        ("POST /api/health", "GET, HEAD"),
        ("POST /api/integrations/webhooks/whk_x", "DELETE, GET, HEAD, PUT"),
        ("GET /api/integrations/webhooks/whk_x/status", "PUT"),
        ("PATCH /api/integrations/marketplace", "GET, HEAD"),
        ("OPTIONS /api/integrations/api-keys/verify", "POST"),
        ("POST /console", "GET, HEAD"),
        ("DELETE /console/webhooks/whk_x", "GET, HEAD"),
        ("PUT /connect/return", "GET, HEAD"),
    ],
)
def test_unknown_method_is_rejected_with_the_allowed_methods(api: Api, line: str, allow: str) -> None:
    answer = api(line, token=None)
    assert_problem(answer, 405, "method_not_allowed", allow)
    assert answer.headers["allow"] == allow


def test_preflight_request_gets_an_empty_response(api: Api) -> None:
    """API Gateway sends preflight requests to $default. If CorsOrigins is set, it adds the CORS headers."""
    asked = {"origin": "https://app.example", "access-control-request-method": "POST"}
    answer = api("OPTIONS /api/events", token=None, headers=asked)
    assert (answer.status, answer.text) == (204, "")
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "line", ["GET /", "GET /api", "GET /api/events/a/b", "DELETE /api/health/x", "GET //", "GET /api/x/"]
)
def test_unknown_path_is_not_found(api: Api, line: str) -> None:
    body = assert_problem(api(line, token=None), 404, None, "Check the URL")
    assert body["instance"] == line.partition(" ")[2]


@pytest.mark.parametrize(
    ("line", "slash", "path"),
    [
        ("GET /api/events/", "a trailing slash", "/api/events"),
        ("DELETE /api/integrations/webhooks/whk_x/", "a trailing slash", "/api/integrations/webhooks/whk_x"),
        ("PATCH /api/events/", "a trailing slash", "/api/events"),
        ("POST //api/events", "superfluous slashes", "/api/events"),
        ("GET /api//integrations///int_x/logs", "superfluous slashes", "/api/integrations/int_x/logs"),
        ("GET /api/events//", "superfluous slashes", "/api/events"),
    ],
)
def test_path_with_a_superfluous_slash_is_told_the_right_one(
    api: Api, line: str, slash: str, path: str
) -> None:
    assert_problem(api(line, token=None), 404, None, f"{slash}. Use {path}.")


def test_head_answers_like_get_without_a_body(api: Api) -> None:
    webhook = {"name": "Orders", "url": "https://example.com/hook", "eventTypes": ["POST_PUBLISHED"]}
    path = api("POST /api/integrations/webhooks", json=webhook).headers["location"]
    for target, token in (("/api/health", None), ("/api/events?limit=5", "owner"), (path, "owner")):
        got, head = api(f"GET {target}", token=token), api(f"HEAD {target}", token=token)
        assert (head.status, head.text, head.headers) == (200, "", got.headers)
    for target, token, status in (
        (path, None, 401),
        (f"{path[:-1]}!", "owner", 404),
        ("/api/events?limit=x", "owner", 422),
        ("/api/nothing", None, 404),
        ("/api/events/batch", "owner", 405),
    ):
        head = api(f"HEAD {target}", token=token)
        assert (head.status, head.text) == (status, "")
        assert head.headers["content-type"] == "application/problem+json"
