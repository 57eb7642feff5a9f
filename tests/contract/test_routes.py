"""The derived table of routes, and the answer to what is not in it."""

from __future__ import annotations

import pytest

from tests.conftest import Api
from tools import routes


def test_the_table_of_routes_is_the_templates() -> None:
    assert routes.TARGET.read_text() == routes.render(), "stale: run `make derived`"


@pytest.mark.parametrize(
    ("line", "allow"),
    [
        ("PATCH /api/events", "GET, POST"),
        ("POST /api/health", "GET"),
        ("POST /api/integrations/webhooks/whk_x", "DELETE, GET, PUT"),
        ("GET /api/integrations/webhooks/whk_x/status", "PUT"),
    ],
)
def test_another_method_is_405_and_names_those_there_are(api: Api, line: str, allow: str) -> None:
    answer = api(line, token=None)
    assert answer.status == 405
    assert answer.headers["allow"] == allow
    assert answer.json()["code"] == "method_not_allowed"
    assert allow in answer.json()["detail"]


@pytest.mark.parametrize(
    "line",
    ["GET /", "GET /api", "GET /api/events/a/b", "DELETE /api/health/x", "GET /api/integrations/webhooks/"],
)
def test_another_path_is_404(api: Api, line: str) -> None:
    answer = api(line, token=None)
    assert answer.status == 404
    assert answer.json()["code"] == "not_found"
