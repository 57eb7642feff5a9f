"""The list of a workspace's connections across all its integrations."""

from __future__ import annotations

from typing import Any

import pytest

from patchbay.ids import ConnectionId, IntegrationId
from patchbay.oauth import connections, store
from patchbay.settings import settings
from patchbay.storage import dynamo
from tests.conftest import OWNER, Api, Backend, jwt_for
from tests.integration.integrations_api import PATH, items, pages
from tests.integration.oauth_fakes import connection_rows
from tests.problems import assert_problem

ALL = "/api/connections"
STRANGER = jwt_for("globex")


def integration(api: Api, token: str = OWNER, **fields: Any) -> str:
    body = {"name": "Mail", "type": "CUSTOM", **fields}
    answer = api(f"POST {PATH}", json=body, token=token)
    assert answer.status == 201, answer
    return str(answer.json()["id"])


def connect(api: Api, integration: str, name: str, token: str = OWNER, **credentials: str) -> Any:
    body = {"connectionId": name, "credentials": credentials or {"apiKey": "k"}}
    answer = api(f"POST {PATH}/{integration}/connections", json=body, token=token)
    assert answer.status == 201, answer
    return answer.json()


def names(found: list[Any]) -> list[str]:
    return [connection["connectionId"] for connection in found]


def change(backend: Backend, name: str, **attributes: Any) -> None:
    (row,) = (row for row in connection_rows(backend) if row.get("name") == name)
    dynamo.put(settings().connections_table, row | attributes)


def test_list_is_newest_first_over_all_integrations_in_pages_of_any_size(api: Api) -> None:
    first, second, empty = integration(api), integration(api), integration(api)
    made = [connect(api, (first, second)[number % 3 == 0], f"c{number}") for number in range(7)]
    assert api(f"GET {ALL}").json() == {"items": made[::-1], "nextCursor": None}
    for limit in (1, 2, 3, 6, 7, 100):
        assert pages(api, f"GET {ALL}", limit) == made[::-1], limit
    own = {id: items(api(f"GET {PATH}/{id}/connections")) for id in (first, second, empty)}
    for id, expected in own.items():
        assert pages(api, f"GET {ALL}?integrationId={id}", 2) == expected
    # Reconnecting a name changes the connection, but not its position in the list.
    again = connect(api, first, "c1")
    assert again["id"] == made[1]["id"]
    assert names(items(api(f"GET {ALL}"))) == names(made[::-1])


def test_last_page_has_no_cursor(api: Api) -> None:
    one = integration(api)
    assert api(f"GET {ALL}").json() == {"items": [], "nextCursor": None}
    for number in range(2):
        connect(api, one, f"c{number}")
    assert api(f"GET {ALL}?limit=2").json()["nextCursor"] is None
    page = api(f"GET {ALL}?limit=1").json()
    assert page["nextCursor"] is not None
    assert api(f"GET {ALL}?limit=1&cursor={page['nextCursor']}").json()["nextCursor"] is None


def test_filters_select_and_combine(api: Api, backend: Backend) -> None:
    mail = integration(api)
    crm = integration(api, provider="activecampaign", type="CRM")
    account = {"apiUrl": "https://acme.api-us1.com", "apiKey": "0123456789abcdef" * 4 + "01234567"}
    for name in ("anna", "ben"):
        connect(api, mail, name)
    for name in ("anna", "carl"):
        connect(api, crm, name, **account)
    change(backend, "ben", status="EXPIRED")
    change(backend, "carl", accountId="7")

    def found(query: str) -> list[str]:
        assert names(pages(api, f"GET {ALL}?{query}", 1)) == names(items(api(f"GET {ALL}?{query}")))
        return names(items(api(f"GET {ALL}?{query}")))

    assert found("status=EXPIRED") == ["ben"]
    assert found("status=ACTIVE") == ["carl", "anna", "anna"]
    assert found("provider=activecampaign") == ["carl", "anna"]
    assert found("provider=hubspot") == []
    assert found("connectionId=anna") == ["anna", "anna"]
    assert found(f"connectionId=anna&integrationId={crm}") == ["anna"]
    assert found("accountId=7") == ["carl"]
    assert found("accountId=7&status=EXPIRED") == []
    assert found(f"integrationId={mail}&status=EXPIRED") == ["ben"]


def test_status_is_the_one_that_is_shown(api: Api) -> None:
    """A connection whose OAuth client changed counts as expired before its row says so."""
    urls = {"authorizationUrl": "https://a.example/a", "tokenUrl": "https://a.example/t"}
    one = integration(api)
    connect(api, one, "old")
    config = {**urls, "clientId": "id", "clientSecret": "s"}
    assert api(f"PUT {PATH}/{one}", json={"config": config}).status == 200
    for line in (f"GET {ALL}", f"GET {PATH}/{one}/connections"):
        assert names(items(api(f"{line}?status=EXPIRED"))) == ["old"]
        assert items(api(f"{line}?status=ACTIVE")) == []


def test_foreign_deleted_and_unknown_integrations_are_not_found(api: Api) -> None:
    mine, theirs, gone = integration(api), integration(api, STRANGER), integration(api)
    for id, token in ((mine, OWNER), (theirs, STRANGER), (gone, OWNER)):
        connect(api, id, f"of-{id}", token)
    assert api(f"DELETE {PATH}/{gone}").status == 200
    assert names(items(api(f"GET {ALL}"))) == [f"of-{mine}"]
    assert names(items(api(f"GET {ALL}", token=STRANGER))) == [f"of-{theirs}"]
    assert items(api(f"GET {ALL}", token=jwt_for("glo"))) == []
    for id in (theirs, gone, IntegrationId.new()):
        answer = api(f"GET {ALL}?integrationId={id}")
        assert_problem(
            answer, 422, None, "no integration with this ID in this workspace", paths=["integrationId"]
        )
    assert_problem(api(f"GET {ALL}", token=jwt_for("acme", scope="integrations:read")), 403)


@pytest.mark.parametrize(
    ("query", "path"),
    [
        *(("limit=0", "limit"), ("limit=101", "limit"), ("status=active", "status"), ("cursor=!", "cursor")),
        *(("cursor=int_0346QpBqKuLLa8TnU0m1Xw", "cursor"), ("integrationId=con_0", "integrationId")),
        *(("provider=Hub%20Spot", "provider"), ("connectionId=a/b", "connectionId")),
    ],
)
def test_invalid_query_is_rejected(api: Api, query: str, path: str) -> None:
    assert_problem(api(f"GET {ALL}?{query}"), 422, paths=[path])


def test_cursor_never_leaves_the_workspace(api: Api) -> None:
    mine, theirs = integration(api), integration(api, STRANGER)
    connect(api, mine, "mine")
    others = [connect(api, theirs, f"t{number}", STRANGER)["id"] for number in range(2)]
    for cursor in (others[1], ConnectionId.range(None, None)[1]):
        assert names(items(api(f"GET {ALL}?cursor={dynamo.encode_cursor([cursor])}"))) == ["mine"]


def test_page_under_a_filter_is_bounded_and_continues(
    api: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_ROWS_PER_READ", 3)
    monkeypatch.setattr(connections, "_MAX_READS", 2)
    one, two = integration(api), integration(api)
    for number in range(10):
        connect(api, (one, two)[number % 2], f"c{number}")
    change(backend, "c0", status="EXPIRED")
    page = api(f"GET {ALL}?status=EXPIRED&limit=5").json()
    assert (page["items"], page["nextCursor"] is None) == ([], False)
    page = api(f"GET {ALL}?status=EXPIRED&limit=5&cursor={page['nextCursor']}").json()
    assert (names(page["items"]), page["nextCursor"]) == (["c0"], None)


def test_connection_deleted_during_the_read_is_left_out(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    one = integration(api)
    for number in range(3):
        connect(api, one, f"c{number}")
    get_listed = store.get_listed

    def without_first(workspace_id: str, listed: Any) -> Any:
        found = get_listed(workspace_id, listed)
        return {id: connection for id, connection in found.items() if connection.name != "c2"}

    monkeypatch.setattr(store, "get_listed", without_first)
    assert names(items(api(f"GET {ALL}?limit=2"))) == ["c1", "c0"]


def test_page_makes_one_query_for_each_integration_with_connections(api: Api, backend: Backend) -> None:
    used = [integration(api) for _ in range(3)]
    for _ in range(3):
        integration(api)
    for id in used:
        connect(api, id, "default")
    backend.calls.clear()
    api(f"GET {ALL}?limit=2")
    assert backend.calls.count["dynamodb.Query"] == 1 + len(used)
    assert backend.calls.count["dynamodb.BatchGetItem"] == 1
