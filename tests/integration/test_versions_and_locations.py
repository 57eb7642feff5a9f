"""The `ETag` of every resource with a version, `If-Match`, and the `Location` of created resources.

`tests/tour.py` follows every `Location`, and `test_http_edge` tests what `If-Match` rejects.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.catalogued import POST
from tests.conftest import Answer, Api
from tests.problems import assert_problem

INTEGRATIONS = "/api/integrations"
KEYS, WEBHOOKS = f"{INTEGRATIONS}/api-keys", f"{INTEGRATIONS}/webhooks"
AUTOMATIONS = "/api/automations/n8n"
WEBHOOK = {"name": "Orders", "url": "https://example.com/hook", "eventTypes": ["POST_PUBLISHED"]}
CREATES: dict[str, dict[str, Any]] = {
    WEBHOOKS: WEBHOOK,
    KEYS: {"name": "ci", "scopes": ["events:publish"]},
    INTEGRATIONS: {"name": "Mail", "type": "CUSTOM"},
    "/api/flows": {
        "name": "Pause",
        "trigger": {"type": "event", "eventTypes": ["POST_PUBLISHED"]},
        "steps": [{"id": "pause", "type": "wait", "seconds": 1}],
    },
}


def tagged(answer: Answer) -> str:
    """Check the `ETag` of a response, and return its `Location`, or "" if it has none."""
    assert answer.status < 300, answer
    assert answer.headers["etag"] == f'"{answer.json()["version"]}"'
    return answer.headers.get("location", "")


@pytest.mark.parametrize("path", CREATES)
def test_resource_changes_with_the_tag_of_its_last_response(api: Api, path: str) -> None:
    created = api(f"POST {path}", json=CREATES[path], headers={"Idempotency-Key": "k"})
    location = tagged(created)
    assert location == f"{path}/{created.json()['id']}"
    repeated = api(f"POST {path}", json=CREATES[path], headers={"Idempotency-Key": "k"})
    assert (tagged(repeated), repeated.headers["idempotent-replayed"]) == (location, "true")

    got = api(f"GET {location}")
    assert tagged(got) == ""
    changed = api(f"PUT {location}", json={"name": "b"}, headers={"If-Match": got.headers["etag"]})
    tagged(changed)
    assert changed.headers["etag"] != got.headers["etag"]
    stale = api(f"PUT {location}", json={"name": "c"}, headers={"If-Match": got.headers["etag"]})
    assert_problem(stale, 412, None, "is at version 2, not 1", "Get it again")
    assert "etag" not in stale.headers
    weak = {"If-Match": f"W/{changed.headers['etag']}"}
    assert_problem(api(f"PUT {location}", json={"name": "c"}, headers=weak), 412, None, "weak", "without W/")
    assert tagged(api(f"PUT {location}", json={"name": "c"}, headers={"If-Match": "*"})) == ""
    assert api(f"GET {location}").headers["etag"] == '"3"'
    assert "etag" not in api(f"GET {path}").headers, "a list has no version"
    assert api(f"DELETE {location}", headers={"If-Match": '"2"'}).status == 412
    assert "etag" not in api(f"DELETE {location}", headers={"If-Match": '"3"'}).headers
    assert_problem(
        api(f"PUT {location}", json={"name": "d"}, headers={"If-Match": "*"}), 404 if path != KEYS else 409
    )


def test_rotation_and_status_changes_have_the_new_tag(api: Api) -> None:
    webhook = tagged(api(f"POST {WEBHOOKS}", json=WEBHOOK))
    paused = api(f"PUT {webhook}/status", json={"status": "INACTIVE"}, headers={"If-Match": '"1"'})
    tagged(paused)
    assert_problem(api(f"POST {webhook}/rotate-secret", headers={"If-Match": '"1"'}), 412)
    rotated = api(f"POST {webhook}/rotate-secret", headers={"If-Match": paused.headers["etag"]})
    assert (tagged(rotated), rotated.headers["etag"]) == ("", '"3"')

    key = tagged(api(f"POST {KEYS}", json=CREATES[KEYS]))
    successor = api(f"POST {key}/rotate", headers={"If-Match": '"1"'})
    location = tagged(successor)
    assert location == f"{KEYS}/{successor.json()['id']}" != key
    assert tagged(api(f"GET {location}")) == ""


def test_connections_hooks_runs_and_events_have_a_location(api: Api) -> None:
    integration = tagged(api(f"POST {INTEGRATIONS}", json=CREATES[INTEGRATIONS]))
    body = {"connectionId": "mine", "credentials": {"apiKey": "k"}}
    connection = tagged(api(f"POST {integration}/connections", json=body))
    assert connection.startswith(f"{integration}/connections/con_")
    tagged(api(f"GET {connection}"))

    subscription = {"url": "https://example.com/hook", "eventType": "POST_PUBLISHED"}
    subscribed = api(f"POST {AUTOMATIONS}/hooks", json=subscription)
    assert subscribed.status == 201
    tagged(api(f"GET {subscribed.headers['location']}"))
    again = api(f"POST {AUTOMATIONS}/hooks", json=subscription)
    assert (again.status, "location" in again.headers) == (200, False), "nothing was created"

    run = tagged(api(f"POST {AUTOMATIONS}/actions/create_campaign", json={"input": {"name": "x"}}))
    assert run.startswith(f"{AUTOMATIONS}/runs/run_")
    tagged(api(f"GET {run}"))

    published = api("POST /api/events", json={"type": "POST_PUBLISHED", "data": POST})
    assert published.headers["location"] == f"/api/events/{published.json()['id']}"
    event = api(f"GET {published.headers['location']}")
    assert (event.status, "etag" in event.headers) == (200, False)
    refused = api("POST /api/events", json={"type": "POST_PUBLISHED", "data": {}})
    assert (refused.status, "location" in refused.headers) == (422, False)
