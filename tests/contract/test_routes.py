"""The generated table of routes, and the responses to unknown routes."""

from __future__ import annotations

import pytest

from tests.conftest import Api
from tests.problems import assert_problem
from tools import routes


def test_route_table_is_up_to_date() -> None:
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
def test_unknown_method_is_rejected_with_the_allowed_methods(api: Api, line: str, allow: str) -> None:
    answer = api(line, token=None)
    assert_problem(answer, 405, "method_not_allowed", allow)
    assert answer.headers["allow"] == allow


@pytest.mark.parametrize(
    "line",
    ["GET /", "GET /api", "GET /api/events/a/b", "DELETE /api/health/x", "GET /api/integrations/webhooks/"],
)
def test_unknown_path_is_not_found(api: Api, line: str) -> None:
    assert_problem(api(line, token=None), 404)
