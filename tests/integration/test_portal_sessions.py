"""Portal sessions and attacks on them: replayed codes, concurrent exchanges, more rights than the creator's,
a bypassed limit, a session that outlives its key.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from patchbay.auth.scopes import ROLES
from patchbay.sessions import guard
from tests.conftest import HOST, OWNER, RETURN_ORIGIN, Answer, Api, Backend, jwt_for
from tests.faults import Clock, failing, meanwhile
from tests.problems import assert_problem

SESSIONS, LINKS, ME = "/api/portal/sessions", "/api/connect/sessions", "GET /api/me"
KEYS, WEBHOOKS = "/api/integrations/api-keys", "/api/integrations/webhooks"
WEBHOOK = {"name": "w", "url": "https://example.com/", "eventTypes": ["POST_PUBLISHED"]}
LATER = {"exp": 4_000_000_000}


def create(api: Api, token: str = OWNER, **body: Any) -> dict[str, Any]:
    answer = api(f"POST {SESSIONS}", json=body, token=token)
    assert answer.status == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


def code_of(created: dict[str, Any]) -> str:
    origin, _, code = created["link"].partition("/console#code=")
    assert origin == f"https://{HOST}"
    return str(code)


def exchange(api: Api, code: str) -> Answer:
    return api(f"POST {SESSIONS}/exchange", json={"code": code}, token=None)


def open_session(api: Api, token: str = OWNER, **body: Any) -> str:
    answer = exchange(api, code_of(create(api, token, **body)))
    assert answer.status == 200, answer.text
    return str(answer.json()["token"])


def make_key(api: Api, *scopes: str, **terms: Any) -> dict[str, Any]:
    answer = api(f"POST {KEYS}", json={"name": "backend", "scopes": list(scopes), **terms})
    assert answer.status == 201, answer.text
    key: dict[str, Any] = answer.json()
    return key


def session_rows(backend: Backend) -> list[dict[str, Any]]:
    return backend.rows("SessionsTable")


# ── creation and exchange ────────────────────────────────────────────────────────────────────────────


def test_link_opens_a_session_with_the_scopes_of_its_creator(api: Api) -> None:
    asked: dict[str, Any] = {
        "label": "Ada Lovelace",
        "theme": {"colorScheme": "dark", "primaryColor": "#3366ff"},
        "view": "/webhooks",
        "returnUrl": f"{RETURN_ORIGIN}/settings",
    }
    created = create(api, **asked)
    opened = exchange(api, code_of(created)).json()
    expected = sorted(
        scope for scope in ROLES["owner"] if scope.split(":")[0] not in ("credentials", "workspace")
    )
    assert created["capabilities"] == opened["capabilities"] == expected
    assert {name: opened[name] for name in asked} == asked
    assert (opened["id"], opened["workspaceId"]) == (created["id"], "acme")

    me = api(ME, token=opened["token"]).json()
    assert (me["type"], me["id"], me["role"], me["key"]) == (
        "session",
        f"session:{created['id']}",
        None,
        None,
    )
    assert me["scopes"] == expected
    assert me["session"] == {
        **asked,
        "id": created["id"],
        "readOnly": False,
        "expiresAt": created["expiresAt"],
    }
    assert api(f"GET {WEBHOOKS}", token=opened["token"]).status == 200
    made = api(f"POST {WEBHOOKS}", json=WEBHOOK, token=opened["token"])
    assert made.status == 201, made.text


def test_code_works_once(api: Api, backend: Backend) -> None:
    code = code_of(create(api))
    token = exchange(api, code).json()["token"]
    rows = session_rows(backend)
    for _ in range(2):
        assert "already used" in assert_problem(exchange(api, code), 401)["detail"]
    assert session_rows(backend) == rows
    assert api(ME, token=token).status == 200, "a replay must not end the session of its user"
    assert_problem(api(ME, token=code), 401)


def test_two_exchanges_at_once_open_one_session(api: Api) -> None:
    code = code_of(create(api))
    answers: list[Answer] = []
    with meanwhile("dynamodb.UpdateItem", lambda: answers.append(exchange(api, code))):
        answers.append(exchange(api, code))
    assert sorted(answer.status for answer in answers) == [200, 401]
    (token,) = [answer.json()["token"] for answer in answers if answer.status == 200]
    assert api(ME, token=token).status == 200


def test_exchange_survives_a_lost_response_of_dynamodb(api: Api) -> None:
    code = code_of(create(api))
    with failing("dynamodb.UpdateItem", lost=True, tries=1):
        answer = exchange(api, code)
    assert answer.status == 200, answer.text
    assert api(ME, token=answer.json()["token"]).status == 200


def test_code_lives_for_five_minutes(api: Api, clock: Clock) -> None:
    owner = jwt_for("acme", claims=LATER)
    late, just = (code_of(create(api, owner)) for _ in range(2))
    clock.move(299)
    assert exchange(api, just).status == 200
    clock.move(1)
    assert "five minutes" in assert_problem(exchange(api, late), 401)["detail"]
    (open_one,) = [
        item for item in api(f"GET {SESSIONS}", token=owner).json()["items"] if item["openedAt"] is None
    ]
    assert open_one["status"] == "EXPIRED"


def test_code_is_worthless_without_its_secret(api: Api, backend: Backend) -> None:
    created = create(api)
    code = code_of(created)
    head, _, secret = code.rpartition("_")
    rows = session_rows(backend)
    other = "0" if secret[0] != "0" else "1"
    for wrong in (f"{head}_{other}{secret[1:]}", code.replace("acme", "rival"), code[:-1], "x", "é" * 50):
        problem = assert_problem(exchange(api, wrong), 401)
        assert created["id"] not in json.dumps(problem)
    assert session_rows(backend) == rows
    assert exchange(api, code).status == 200


def test_ended_session_cannot_be_opened(api: Api) -> None:
    created = create(api)
    assert api(f"DELETE {SESSIONS}/{created['id']}").status == 200
    assert "was ended" in assert_problem(exchange(api, code_of(created)), 401)["detail"]


def test_nothing_secret_is_stored_or_logged(api: Api, backend: Backend, logs: Any) -> None:
    code = code_of(create(api, label="Ada"))
    token = exchange(api, code).json()["token"]
    api(ME, token=token)
    api(ME, token=f"{token[:-1]}!")
    exchange(api, code)
    stored = repr(
        [backend.rows(table.logical_id) for table in backend.template.of_type("AWS::DynamoDB::Table")]
    )
    for secret in (code, token, code.rpartition("_")[2], token.rpartition("_")[2]):
        assert secret not in stored
        assert secret not in logs.getvalue()


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"expiresIn": 86_401}, "expiresIn"),
        ({"expiresIn": 59}, "expiresIn"),
        ({"capabilities": []}, "capabilities"),
        ({"capabilities": ["credentials:read"]}, "capabilities.0"),
        ({"capabilities": ["webhook:read"]}, "capabilities.0"),
        ({"theme": {"primaryColor": "red;}body{display:none"}}, "theme.primaryColor"),
        ({"theme": {"colorScheme": "blue"}}, "theme.colorScheme"),
        ({"view": "//evil.example"}, "view"),
        ({"view": "https://evil.example"}, "view"),
        ({"view": "/../secret"}, "view"),
        ({"label": "a\u202eb"}, "label"),
        ({"label": "x" * 101}, "label"),
        ({"returnUrl": "https://evil.example/"}, "returnUrl"),
        ({"returnUrl": "javascript:alert(1)"}, "returnUrl"),
        ({"returnUrl": f"{RETURN_ORIGIN}.evil.example/"}, "returnUrl"),
        ({"scope": "webhooks:read"}, "scope"),
    ],
)
def test_invalid_session_is_refused(api: Api, backend: Backend, body: Any, path: str) -> None:
    assert_problem(api(f"POST {SESSIONS}", json=body), 422, paths=[path])
    assert session_rows(backend) == []


# ── rights ───────────────────────────────────────────────────────────────────────────────────────────


def test_session_has_no_scope_that_its_creator_cannot_grant(api: Api, subtests: pytest.Subtests) -> None:
    for role, scopes in ROLES.items():
        token = jwt_for("acme", role=role)
        for scope in sorted(ROLES["owner"] - {"credentials:read"}):
            with subtests.test(f"{scope} by {role}"):
                answer = api(f"POST {SESSIONS}", json={"capabilities": [scope]}, token=token)
                assert answer.status == (201 if scope in scopes else 403), answer.text
    with subtests.test("reserved for the platform"):
        assert_problem(api(f"POST {SESSIONS}", json={"capabilities": ["actions:handle"]}), 403)
    with subtests.test("a caller without scopes"):
        nothing = api(f"POST {SESSIONS}", json={}, token=jwt_for("acme", scope=""))
        assert_problem(nothing, 422, paths=["capabilities"])


def test_session_uses_only_its_scopes(api: Api) -> None:
    token = open_session(api, capabilities=["webhooks:read"])
    assert api(f"GET {WEBHOOKS}", token=token).status == 200
    for line in (f"POST {WEBHOOKS}", f"GET {KEYS}", "GET /api/audit", "POST /api/events"):
        assert_problem(api(line, json={} if line.startswith("POST") else None, token=token), 403)


def test_session_makes_no_key_with_more_scopes(api: Api) -> None:
    """The creator is an owner, who may grant the platform's scopes, but the session has no role."""
    token = open_session(api, capabilities=["api-keys:write", "webhooks:read"])

    def make(*scopes: str) -> Answer:
        return api(f"POST {KEYS}", json={"name": "k", "scopes": list(scopes)}, token=token)

    assert make("webhooks:read").status == 201
    for scope in ("webhooks:write", "credentials:read", "posts:read", "actions:handle"):
        assert scope in assert_problem(make(scope), 403)["detail"]
    strong = make_key(api, "webhooks:write")
    for line in (f"DELETE {KEYS}/{strong['id']}", f"POST {KEYS}/{strong['id']}/rotate"):
        assert_problem(api(line, token=token), 403)


def test_session_reads_no_credentials(api: Api) -> None:
    integration = api("POST /api/integrations", json={"name": "i", "type": "CRM"}).json()["id"]
    connected = {"credentials": {"apiKey": "key-of-a-provider"}}
    path = f"/api/integrations/{integration}"
    assert api(f"POST {path}/connections", json=connected).status == 201
    token = open_session(api)
    assert_problem(api(f"GET {path}/connections/default/token", token=token), 403)
    assert_problem(api(f"GET {path}?reveal=true", token=token), 403)
    assert api(f"GET {path}", token=token).status == 200


def test_read_only_session_changes_nothing(api: Api, backend: Backend, subtests: pytest.Subtests) -> None:
    created = create(api, readOnly=True)
    assert {scope for scope in created["capabilities"] if not scope.endswith(":read")} == {"automations:use"}
    token = exchange(api, code_of(created)).json()["token"]
    assert api(ME, token=token).json()["session"]["readOnly"] is True
    assert api(f"GET {WEBHOOKS}", token=token).status == 200
    hook = {"url": "https://example.com/", "eventType": "POST_PUBLISHED"}
    before = {name: backend.rows(name) for name in ("WebhooksTable", "AutomationsTable", "EventsTable")}
    for line, body in (
        (f"POST {WEBHOOKS}", WEBHOOK),
        ("POST /api/automations/n8n/hooks", hook),
        ("POST /api/automations/n8n/actions/create_campaign", {"input": {"name": "Spring"}}),
        ("PUT /api/workspace", {"retainDays": 1}),
        (f"DELETE {WEBHOOKS}/whk_0355200000000000000001", None),
    ):
        with subtests.test(line):
            assert "read-only" in assert_problem(api(line, json=body, token=token), 403)["detail"]
    assert {name: backend.rows(name) for name in before} == before
    with subtests.test("it can end itself"):
        assert api(f"DELETE {SESSIONS}/current", token=token).status == 200


def test_read_only_session_cannot_get_a_writing_scope(api: Api) -> None:
    created = create(api, readOnly=True, capabilities=["webhooks:read", "webhooks:write"])
    assert created["capabilities"] == ["webhooks:read"]
    only_writes = api(f"POST {SESSIONS}", json={"readOnly": True, "capabilities": ["webhooks:write"]})
    assert_problem(only_writes, 422, paths=["capabilities"])


def test_session_makes_no_sessions(api: Api) -> None:
    token = open_session(api)
    assert_problem(api(f"POST {SESSIONS}", json={}, token=token), 403)
    assert_problem(api(f"GET {SESSIONS}", token=token), 403)


def test_session_makes_links_that_end_with_the_key_that_made_it(api: Api) -> None:
    id = api("POST /api/integrations", json={"name": "i", "type": "CUSTOM"}).json()["id"]
    key = make_key(api, "connections:read", "connections:write")
    body = {"integrations": [id]}
    reader = open_session(api, key["key"], capabilities=["connections:read"])
    assert_problem(api(f"POST {LINKS}", json=body, token=reader), 403)
    writer = open_session(api, key["key"])
    created = api(f"POST {LINKS}", json=body, token=writer)
    assert created.status == 201
    assert created.json()["createdBy"].startswith("session:pse_")
    link = created.json()["link"].partition("#")[2]
    assert api(f"DELETE {SESSIONS}/current", token=writer).status == 200
    assert api("GET /api/connect/session", token=link).json()["status"] == "OPEN"
    assert api(f"DELETE {KEYS}/{key['id']}").status == 200
    assert "API key" in assert_problem(api("GET /api/connect/session", token=link), 401)["detail"]


# ── the end ──────────────────────────────────────────────────────────────────────────────────────────


def test_ended_session_is_refused_by_the_next_request(api: Api) -> None:
    created = create(api)
    token = exchange(api, code_of(created)).json()["token"]
    assert api(ME, token=token).status == 200
    for _ in range(2):
        assert api(f"DELETE {SESSIONS}/{created['id']}").status == 200
    assert "was ended" in assert_problem(api(ME, token=token), 401)["detail"]
    guard.clear_cache()
    assert_problem(api(ME, token=token), 401)
    (shown,) = api(f"GET {SESSIONS}").json()["items"]
    assert shown["status"] == "ENDED"


def test_end_that_comes_between_the_exchange_and_the_first_request(api: Api) -> None:
    created = create(api)

    def end() -> None:
        assert api(f"DELETE {SESSIONS}/{created['id']}").status == 200

    with meanwhile("dynamodb.UpdateItem", end):
        assert_problem(exchange(api, code_of(created)), 401)


def test_session_ends_at_its_time(api: Api, clock: Clock) -> None:
    token = open_session(api, jwt_for("acme", claims=LATER), expiresIn=60)
    clock.move(59.9)
    assert api(ME, token=token).status == 200
    clock.move(0.1)
    assert "expired" in assert_problem(api(ME, token=token), 401)["detail"]


def test_session_ends_only_itself(api: Api) -> None:
    other = create(api)
    token = open_session(api)
    assert_problem(api(f"DELETE {SESSIONS}/{other['id']}", token=token), 403)
    assert api(f"DELETE {SESSIONS}/current", token=token).status == 200
    assert_problem(api(ME, token=token), 401)
    assert exchange(api, code_of(other)).status == 200
    assert_problem(api(f"DELETE {SESSIONS}/current"), 404)
    assert_problem(api(f"DELETE {SESSIONS}/pse_0355200000000000000001"), 404)
    assert_problem(api(f"DELETE {SESSIONS}/someone"), 404)


def test_sessions_of_others_need_the_scopes_of_keys(api: Api) -> None:
    ada, bob = (jwt_for("acme", role="viewer", claims={"sub": name}) for name in ("ada", "bob"))
    of_ada = create(api, ada)
    assert api(f"GET {SESSIONS}", token=bob).json()["items"] == []
    assert_problem(api(f"DELETE {SESSIONS}/{of_ada['id']}", token=bob), 403)
    (shown,) = api(f"GET {SESSIONS}", token=ada).json()["items"]
    assert (shown["id"], shown["createdBy"], shown["status"]) == (of_ada["id"], "user:ada", "OPEN")
    (shown,) = api(f"GET {SESSIONS}").json()["items"]
    assert shown["id"] == of_ada["id"]
    assert api(f"DELETE {SESSIONS}/{of_ada['id']}").status == 200


def test_sessions_of_another_workspace_do_not_exist(api: Api) -> None:
    created = create(api)
    for token in (jwt_for("rival"), jwt_for("platform"), open_session(api, jwt_for("rival"))):
        status = 403 if token.startswith("pses_") else 404  # a session can end only itself
        assert_problem(api(f"DELETE {SESSIONS}/{created['id']}", token=token), status)
    assert api(f"GET {SESSIONS}", token=jwt_for("rival")).json()["items"] != []
    assert created["id"] not in api(f"GET {SESSIONS}", token=jwt_for("rival")).text
    token = exchange(api, code_of(created)).json()["token"]
    assert_problem(api(ME, token=token.replace("acme", "rival")), 401)
    assert api(ME, token=token).json()["workspaceId"] == "acme"


# ── sessions of API keys ─────────────────────────────────────────────────────────────────────────────


def test_session_ends_with_the_key_that_made_it(api: Api) -> None:
    key = make_key(api, "webhooks:read")
    token = open_session(api, key["key"])
    assert api(f"GET {WEBHOOKS}", token=token).status == 200
    assert api(f"DELETE {KEYS}/{key['id']}").status == 200
    assert "API key" in assert_problem(api(f"GET {WEBHOOKS}", token=token), 401)["detail"]


def test_revocation_ends_a_session_in_every_process(api: Api) -> None:
    """Another process has the key in its cache, but still refuses the next request."""
    key = make_key(api, "webhooks:read")
    token = open_session(api, key["key"])
    assert api(f"GET {WEBHOOKS}", token=token).status == 200

    def revoke() -> None:
        assert api(f"DELETE {KEYS}/{key['id']}").status == 200

    with meanwhile("dynamodb.GetItem", revoke):
        assert_problem(api(f"GET {WEBHOOKS}", token=token), 401)


def test_session_ends_when_its_key_was_rotated_away(api: Api) -> None:
    key = make_key(api, "webhooks:read")
    token = open_session(api, key["key"])
    assert api(f"POST {KEYS}/{key['id']}/rotate", json={"overlapSeconds": 60}).status == 201
    assert api(f"GET {WEBHOOKS}", token=token).status == 200, "the key works until the overlap ends"
    other = make_key(api, "webhooks:read")
    ended = open_session(api, other["key"])
    assert api(f"POST {KEYS}/{other['id']}/rotate", json={"overlapSeconds": 0}).status == 201
    assert_problem(api(f"GET {WEBHOOKS}", token=ended), 401)


def test_session_never_outlives_its_key(api: Api) -> None:
    key = make_key(api, "webhooks:read", expiresAt="2999-01-01T00:00:00.000Z")
    assert create(api, key["key"])["expiresAt"] < "2999"
    from datetime import UTC, datetime, timedelta

    soon = (
        (datetime.now(UTC) + timedelta(minutes=2)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
    short = make_key(api, "webhooks:read", expiresAt=soon)
    created = create(api, short["key"], expiresIn=86_400)
    assert created["expiresAt"] == created["codeExpiresAt"] == soon


def test_requests_of_a_session_count_in_the_limits_of_its_key(api: Api) -> None:
    """A key with a limit of 4 requests an hour cannot raise it by creating sessions."""
    key = make_key(api, "webhooks:read", rateLimitPerHour=4)
    tokens = [open_session(api, key["key"]) for _ in range(2)]  # these two requests count too
    answer = api(f"GET {WEBHOOKS}", token=tokens[0])
    assert (answer.status, answer.headers["x-ratelimit-remaining"]) == (200, "1")
    assert api(f"GET {WEBHOOKS}", token=tokens[1]).status == 200
    for token in tokens:
        refused = api(f"GET {WEBHOOKS}", token=token)
        assert "retry-after" in refused.headers
        assert_problem(refused, 429, "rate_limited")
    assert_problem(api(f"GET {WEBHOOKS}", token=key["key"]), 429, "rate_limited")


def test_session_loses_the_scopes_that_its_key_loses(api: Api) -> None:
    key = make_key(api, "webhooks:read", "webhooks:write")
    token = open_session(api, key["key"])
    assert api(f"PUT {KEYS}/{key['id']}", json={"scopes": ["webhooks:read"]}).status == 200
    assert api(f"GET {WEBHOOKS}", token=token).status == 200
    assert_problem(api(f"POST {WEBHOOKS}", json=WEBHOOK, token=token), 403)


def test_session_of_a_key_makes_no_keys_and_rotates_none(api: Api) -> None:
    """Otherwise the session could bypass the key's limits. A key cannot create keys either."""
    key = make_key(api, "api-keys:write", "api-keys:read")
    token = open_session(api, key["key"])
    body = {"name": "k", "scopes": ["api-keys:read"]}
    assert (
        "cannot create API keys" in assert_problem(api(f"POST {KEYS}", json=body, token=token), 403)["detail"]
    )
    assert_problem(api(f"POST {KEYS}/{key['id']}/rotate", token=token), 403)
    widened = api(f"PUT {KEYS}/{key['id']}", json={"rateLimitPerHour": 1_000_000}, token=token)
    assert_problem(widened, 403)
    me = api(ME, token=token).json()
    assert (me["type"], me["key"]) == ("session", None)


# ── the guard ────────────────────────────────────────────────────────────────────────────────────────


def test_request_costs_one_read(api: Api, backend: Backend) -> None:
    token = open_session(api)
    api(ME, token=token)
    backend.calls.clear()
    assert api(ME, token=token).status == 200
    assert backend.calls.made == ["dynamodb.GetItem"]


def test_wrong_tokens_cost_at_most_one_read(api: Api, backend: Backend) -> None:
    token = open_session(api)
    backend.calls.clear()
    for malformed in (token[:-1], f"{token}0", "pses_", "pses_acme", token.replace("_", "-")):
        assert_problem(api(ME, token=malformed), 401)
    assert backend.calls.made == []
    wrong = f"{token[:-1]}{'0' if token[-1] != '0' else '1'}"
    for _ in range(3):
        assert_problem(api(ME, token=wrong), 401)
    assert backend.calls.made == ["dynamodb.GetItem"]
    assert api(ME, token=token).status == 200


def test_token_is_only_a_bearer_token(api: Api) -> None:
    token = open_session(api)
    assert_problem(api(ME, token=None, headers={"x-api-key": token}), 401)
    assert_problem(api(f"{ME}?token={token}", token=None), 401)
    assert_problem(api(ME, token=None, headers={"authorization": f"Basic {token}"}), 401)
    assert_problem(api(ME, token=None, headers={"cookie": f"token={token}"}), 401)


def test_requests_at_once_are_all_served(api: Api) -> None:
    token = open_session(api)
    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda _: api(ME, token=token).status, range(12)))
    assert statuses == [200] * 12


# ── the audit log ────────────────────────────────────────────────────────────────────────────────────


def test_audit_log_says_who_used_a_session(api: Api) -> None:
    created = create(api, label="Ada Lovelace")
    token = exchange(api, code_of(created)).json()["token"]
    webhook = api(f"POST {WEBHOOKS}", json=WEBHOOK, token=token).json()["id"]
    assert_problem(api("POST /api/workspace/export", token=token), 403)
    api(f"DELETE {SESSIONS}/current", token=token)
    entries = api("GET /api/audit").json()["items"]
    session = f"session:{created['id']}"
    assert [
        (entry["action"], entry["actor"], entry["actorLabel"], entry["outcome"]) for entry in entries
    ] == [
        ("portal_sessions.end", session, "Ada Lovelace", "SUCCEEDED"),
        ("workspace.export", session, "Ada Lovelace", "REFUSED"),
        ("webhooks.create", session, "Ada Lovelace", "SUCCEEDED"),
        ("portal_sessions.exchange", session, "Ada Lovelace", "SUCCEEDED"),
        ("portal_sessions.create", "user:someone", None, "SUCCEEDED"),
    ]
    assert [entry["target"] for entry in entries[2:]] == [webhook, created["id"], created["id"]]
    assert entries[3]["ip"] == "203.0.113.9"
    assert {entry["actor"] for entry in api(f"GET /api/audit?actor={session}").json()["items"]} == {session}


def test_session_opens_even_if_the_audit_log_fails(api: Api) -> None:
    code = code_of(create(api))
    with failing("dynamodb.PutItem", times=10):
        answer = exchange(api, code)
    assert answer.status == 200
    assert api(ME, token=answer.json()["token"]).status == 200
