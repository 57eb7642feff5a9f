"""Helpers for the tests of integrations and of the marketplace."""

from __future__ import annotations

from typing import Any

from tests.conftest import OWNER, Answer, Api, Backend, is_audit_row

PATH = "/api/integrations"


def items(answer: Answer) -> list[Any]:
    assert answer.status == 200, answer.text
    found: list[Any] = answer.json()["items"]
    return found


def pages(api: Api, line: str, limit: int, token: str = OWNER) -> list[Any]:
    """All items of a list, read page by page. Fails if a page has more than `limit` items."""
    found, cursor = [], ""
    while True:
        page = api(f"{line}{'&' if '?' in line else '?'}limit={limit}{cursor}", token=token).json()
        assert len(page["items"]) <= limit
        found += page["items"]
        if page["nextCursor"] is None:
            return found
        cursor = f"&cursor={page['nextCursor']}"


def snapshot(backend: Backend) -> dict[str, list[str]]:
    """Every row, except those for rate limits, data keys, and audit log entries of refused requests."""
    names = {table.logical_id for table in backend.template.of_type("AWS::DynamoDB::Table")}
    return {
        name: sorted(repr(row) for row in backend.rows(name) if not is_audit_row(row))
        for name in names - {"RateLimitsTable", "DataKeysTable"}
    }
