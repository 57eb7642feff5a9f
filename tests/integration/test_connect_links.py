"""Connect links: someone without a login connects an account, and attackers try to misuse a link.

Promise 5 applies to links as to users: a state works once, for 10 minutes, for the link that started it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from patchbay.sessions import guard, store
from tests.conftest import HOST, OWNER, REDIRECT_URI, RETURN_ORIGIN, Answer, Api, Backend, jwt_for
from tests.faults import Clock, killed, meanwhile
from tests.integration.oauth_fakes import (
    CODE,
    INTEGRATIONS,
    Provider,
    activity_log,
    authorization_parameters,
    connect,
    connection_rows,
    create_integration,
    get_token,
    provider,
)
from tests.integration.test_api_key_changes import lost_once
from tests.problems import assert_problem

SESSIONS, PAGE = "/api/connect/sessions", "GET /api/connect/session"
CALLBACK = f"POST {INTEGRATIONS}/oauth/callback"
KEYS = "/api/integrations/api-keys"
OWN_PAGE = f"https://{HOST}/connect/return"
CREDENTIALS = {"credentials": {"apiKey": "key-of-a-provider"}}
LATER = {"exp": 4_000_000_000}


@pytest.fixture
def crm() -> Iterator[Provider]:
    with provider() as crm:
        yield crm


class Link:
    """A connect link, and the requests that its holder sends."""

    def __init__(self, api: Api, *integrations: str, token: str = OWNER, **body: Any) -> None:
        answer = api(f"POST {SESSIONS}", json={"integrations": list(integrations), **body}, token=token)
        assert answer.status == 201, answer.text
        self.created: dict[str, Any] = answer.json()
        origin, _, self.token = self.created["link"].partition("/connect#")
        assert origin == f"https://{HOST}"
        self.id: str = self.created["id"]
        self._api = api

    def api(self, line: str, body: Any = None, **options: Any) -> Answer:
        return self._api(line, json=body, token=self.token, **options)

    def page(self) -> Any:
        answer = self.api(PAGE)
        assert answer.status == 200, answer.text
        return answer.json()

    def start(self, integration: str, **body: Any) -> Answer:
        redirect = f"https://{HOST}{INTEGRATIONS}/{integration}/oauth/callback"
        started = {"redirectUri": redirect, "returnUrl": OWN_PAGE, **body}
        return self.api(f"POST {INTEGRATIONS}/{integration}/oauth/initiate", started)

    def state(self, integration: str, **body: Any) -> str:
        answer = self.start(integration, **body)
        assert answer.status == 200, answer.text
        return str(answer.json()["state"])

    def complete(self, state: str, **options: Any) -> Answer:
        return self.api(CALLBACK, {"state": state, "code": CODE}, **options)

    def status(self) -> str:
        items = self._api(f"GET {SESSIONS}").json()["items"]
        return str(next(item["status"] for item in items if item["id"] == self.id))


def create_plain(api: Api, **body: Any) -> str:
    answer = api(f"POST {INTEGRATIONS}", json={"name": "Mail", "type": "CUSTOM", **body})
    assert answer.status == 201, answer.text
    return str(answer.json()["id"])


# ── what the holder of a link sees and does ──────────────────────────────────────────────────────────


def test_holder_connects_an_account_by_oauth(api: Api, crm: Provider, backend: Backend) -> None:
    id = create_integration(api, crm, scopes=["contacts.read"])
    link = Link(api, id, workspaceName="Acme", requestedBy="Ada Lovelace", returnUrl=f"{RETURN_ORIGIN}/done")
    page = link.page()
    (shown,) = page.pop("integrations")
    assert page == {
        "id": link.id,
        "status": "OPEN",
        "workspaceId": "acme",
        "workspaceName": "Acme",
        "requestedBy": "Ada Lovelace",
        "connectionId": link.id,
        "returnUrl": f"{RETURN_ORIGIN}/done",
        "expiresAt": link.created["expiresAt"],
    }
    assert (shown["id"], shown["authType"], shown["isActive"]) == (id, "OAUTH2", True)
    assert shown["scopes"] == [{"name": "contacts.read", "description": None}]
    assert shown["redirectUri"] == f"https://{HOST}{INTEGRATIONS}/{id}/oauth/callback"
    started = link.start(id).json()
    assert authorization_parameters(started)["redirect_uri"] == shown["redirectUri"]

    query = urlencode({"state": started["state"], "code": CODE})
    redirected = api(f"GET {INTEGRATIONS}/{id}/oauth/callback?{query}", token=None)
    target, _, fragment = redirected.headers["location"].partition("#")
    assert (redirected.status, target) == (303, OWN_PAGE)
    answer = link.api(CALLBACK, dict(parse_qsl(fragment)))
    assert answer.status == 200, answer.text
    connection = answer.json()
    assert (connection["connectionId"], connection["createdBy"]) == (link.id, f"connect:{link.id}")
    assert get_token(api, id, link.id).json()["accessToken"] == "access-1-7d1f"
    assert "access-1-7d1f" not in answer.text
    (event,) = [row for row in backend.rows("EventsTable") if "CONNECTION_CREATED" in repr(row)]
    assert f"connect:{link.id}" in repr(event)

    (listed,) = api(f"GET {SESSIONS}").json()["items"]
    assert (listed["status"], listed["integrationId"], listed["connection"]) == (
        "COMPLETED",
        id,
        connection["id"],
    )
    assert link.page()["status"] == "COMPLETED"


def test_holder_enters_credentials_by_the_form_of_the_provider(api: Api) -> None:
    id = create_plain(api, provider="activecampaign")
    link = Link(api, id)
    (shown,) = link.page()["integrations"]
    known = api(f"GET {INTEGRATIONS}/providers/activecampaign").json()
    assert shown["credentialsSchema"] == known["credentialsSchema"]
    assert (shown["providerName"], shown["authType"]) == (known["name"], "API_KEY")
    assert (shown["scopes"], shown["redirectUri"]) == ([], None)
    wrong = link.api(f"POST {INTEGRATIONS}/{id}/connections", {"credentials": {"apiKey": "k"}})
    assert_problem(wrong, 422)
    assert link.status() == "OPEN"
    right = {"credentials": {"apiUrl": "https://acme.api-us1.com", "apiKey": "0" * 72}}
    answer = link.api(f"POST {INTEGRATIONS}/{id}/connections", right)
    assert answer.status == 201, answer.text
    assert link.status() == "COMPLETED"


def test_page_has_the_words_of_the_provider_for_its_scopes(api: Api) -> None:
    config = {"clientId": "id", "clientSecret": "client-secret"}
    id = create_plain(api, type="CRM", provider="hubspot", config=config)
    (shown,) = Link(api, id).page()["integrations"]
    known = {
        scope["name"]: scope["description"]
        for scope in api(f"GET {INTEGRATIONS}/providers/hubspot").json()["oauth"]["scopes"]
    }
    assert shown["scopes"]
    assert all(known[scope["name"]] == scope["description"] for scope in shown["scopes"])
    assert "client-secret" not in repr(shown)


def test_page_says_whether_the_provider_is_the_one_of_its_name(api: Api, crm: Provider) -> None:
    """Anyone who sets up an integration can call it HubSpot and send people to their own page."""
    client = {"clientId": "id", "clientSecret": "client-secret"}
    known = create_plain(api, name="HubSpot", type="CRM", provider="hubspot", config=client)
    posing = create_integration(api, crm, name="HubSpot")
    typed = create_plain(api, name="HubSpot")
    shown = Link(api, known, posing, typed).page()["integrations"]
    assert [(each["isKnown"], each["authorizationOrigin"]) for each in shown] == [
        (True, None),
        (False, crm.base),
        (False, None),
    ]


def test_page_uses_the_registered_redirect_uri(api: Api, crm: Provider) -> None:
    """A deployment can have two domains, but the provider knows only one of them."""
    id = create_plain(api)
    uri = f"https://other.platform.test{INTEGRATIONS}/{{}}/oauth/callback"
    id = create_integration(api, crm)
    registered = uri.format(id)
    assert (
        api(
            f"PUT {INTEGRATIONS}/{id}",
            json={"config": {"redirectUris": [registered]}},
        ).status
        == 200
    )
    link = Link(api, id)
    (shown,) = link.page()["integrations"]
    assert shown["redirectUri"] == registered
    state = link.state(id, redirectUri=registered)
    # The provider redirects to the other domain, which redirects back to the page on the first one.
    change = {"requestContext": {"domainName": "other.platform.test"}}
    path = f"GET {INTEGRATIONS}/{id}/oauth/callback?{urlencode({'state': state, 'code': CODE})}"
    redirected = api(path, token=None, change=change)
    assert redirected.headers["location"].startswith(f"{OWN_PAGE}#")


def test_named_connection_is_replaced(api: Api, crm: Provider) -> None:
    id = create_integration(api, crm)
    first = connect(api, id, "sales")
    link = Link(api, id, connectionId="sales")
    answer = link.complete(link.state(id))
    assert (answer.status, answer.json()["id"]) == (200, first["id"])
    assert get_token(api, id, "sales").json()["accessToken"] == "access-2-7d1f"


# ── what a link does not allow ───────────────────────────────────────────────────────────────────────


def test_link_opens_no_other_route(api: Api, backend: Backend, subtests: pytest.Subtests) -> None:
    from tests.tour import Driver

    id = create_plain(api)
    link = Link(api, id)
    allowed = {
        f"POST {INTEGRATIONS}/{{id}}/oauth/initiate",
        f"POST {INTEGRATIONS}/{{id}}/connections",
        CALLBACK,
        PAGE,
    }
    for route in Driver(backend, api).routes:
        if route.key in allowed or route.path is None:
            continue
        path = route.path.format_map(
            {"id": id, "connectionId": link.id, "platform": "n8n", "key": "k"}
            | dict.fromkeys(
                ("eventType", "deliveryId", "consumer", "resource", "file", "file+", "runId", "workspaceId"),
                "x",
            )
        )
        with subtests.test(route.key):
            answer = link.api(f"{route.method} {path}", {} if route.method in ("POST", "PUT") else None)
            if handler_is_public(backend, route.function):
                assert answer.status in (200, 401, 404, 422)
            else:
                assert_problem(answer, 401)


def handler_is_public(backend: Backend, function: str) -> bool:
    from local.direct import handler_of
    from tests.conftest import parsed

    return bool(handler_of(parsed(backend.template).functions[function]).endpoint["public"])


def test_link_connects_only_its_integrations(api: Api, crm: Provider) -> None:
    mine, other = create_integration(api, crm), create_integration(api, crm)
    plain = create_plain(api)
    link = Link(api, mine)
    assert_problem(link.start(other), 404)
    assert_problem(link.api(f"POST {INTEGRATIONS}/{plain}/connections", CREDENTIALS), 404)
    assert link.start(mine).status == 200


def test_link_decides_name_and_scopes(api: Api, crm: Provider, backend: Backend) -> None:
    id = create_integration(api, crm, scopes=["read", "write"])
    existing = connect(api, id, "default")
    link = Link(api, id, scopes=["read"])
    for name in ("default", "sales"):
        assert_problem(link.start(id, connectionId=name), 403)
    for scopes in (["read", "write"], ["write"], []):
        assert_problem(link.start(id, scopes=scopes), 403)
    started = link.start(id, connectionId=link.id, scopes=["read"]).json()
    assert authorization_parameters(started)["scope"] == "read"
    assert link.complete(started["state"]).status == 200
    names = {row["name"]: row for row in connection_rows(backend)}
    assert (names["default"]["id"], names["default"]["tokensVersion"]) == (existing["id"], 1)

    plain = create_plain(api)
    other = Link(api, plain)
    named = {**CREDENTIALS, "connectionId": "default"}
    assert_problem(other.api(f"POST {INTEGRATIONS}/{plain}/connections", named), 403)


def test_link_returns_only_to_allowed_pages(api: Api, crm: Provider) -> None:
    id = create_integration(api, crm)
    link = Link(api, id)
    for url in (
        "https://evil.example/connect/return",
        f"https://{HOST}.evil.example/connect/return",
        f"https://{HOST}/connect/return#x",
        f"https://{HOST}/connect/return/../../api/docs",
        f"http://{HOST}/connect/return",
    ):
        assert_problem(link.start(id, returnUrl=url), 422, paths=["returnUrl"])
    for uri in (f"https://evil.example{INTEGRATIONS}/{id}/oauth/callback", "https://evil.example/"):
        assert_problem(link.start(id, redirectUri=uri), 422, paths=["redirectUri"])


# ── promise 5 ────────────────────────────────────────────────────────────────────────────────────────


def test_only_the_link_that_started_a_flow_completes_it(api: Api, crm: Provider) -> None:
    id = create_integration(api, crm)
    victim, attacker = Link(api, id), Link(api, id)
    for complete in (
        lambda state: attacker.complete(state),
        lambda state: api(CALLBACK, json={"state": state, "code": CODE}),
        lambda state: api(CALLBACK, json={"state": state, "code": CODE}, token=jwt_for("rival")),
    ):
        state = victim.state(id)
        assert_problem(complete(state), 403)
        assert_problem(victim.complete(state), 422, paths=["state"])
    theirs = api(f"POST {INTEGRATIONS}/{id}/oauth/initiate", json={"redirectUri": REDIRECT_URI}).json()[
        "state"
    ]
    assert_problem(victim.complete(theirs), 403)
    assert crm.token_requests == []
    assert victim.status() == attacker.status() == "OPEN"


def test_state_of_a_link_ends_after_ten_minutes(api: Api, crm: Provider, clock: Clock) -> None:
    owner = jwt_for("acme", claims=LATER)
    id = create_integration(api, crm, token=owner)
    link = Link(api, id, token=owner)
    state = link.state(id)
    clock.move(600)
    assert_problem(link.complete(state), 422, paths=["state"])
    assert link.complete(link.state(id)).status == 200


# ── one connection ───────────────────────────────────────────────────────────────────────────────────


def test_completed_link_connects_nothing_more(api: Api, crm: Provider, backend: Backend) -> None:
    id, plain = create_integration(api, crm), create_plain(api)
    link = Link(api, id, plain)
    spare = link.state(id)
    assert link.complete(link.state(id)).status == 200
    rows = connection_rows(backend)
    for answer in (
        link.complete(spare),
        link.start(id),
        link.api(f"POST {INTEGRATIONS}/{plain}/connections", CREDENTIALS),
    ):
        assert "already used" in assert_problem(answer, 403)["detail"]
    assert connection_rows(backend) == rows
    assert len(crm.token_requests) == 1
    assert_problem(api(f"DELETE {SESSIONS}/{link.id}"), 409)


def test_two_completions_at_once_make_one_connection(api: Api, crm: Provider, backend: Backend) -> None:
    """The grant of the losing request is revoked at the provider."""
    id = create_integration(api, crm)
    link = Link(api, id)
    one, two = link.state(id), link.state(id)
    answers: list[Answer] = []
    with meanwhile("dynamodb.TransactWriteItems", lambda: answers.append(link.complete(two))):
        answers.append(link.complete(one))
    assert [answer.status for answer in answers] == [200, 409]
    assert "connect link" in answers[1].json()["detail"]
    (row,) = [row for row in connection_rows(backend) if "sealed" in row]
    assert row["id"] == answers[0].json()["id"]
    assert len(crm.revocations) == 1


def test_two_forms_at_once_make_one_connection(api: Api, backend: Backend) -> None:
    first, second = create_plain(api), create_plain(api)
    link = Link(api, first, second)
    answers: list[Answer] = []

    def send(integration: str) -> None:
        answers.append(link.api(f"POST {INTEGRATIONS}/{integration}/connections", CREDENTIALS))

    with meanwhile("dynamodb.TransactWriteItems", lambda: send(second)):
        send(first)
    assert [answer.status for answer in answers] == [201, 409]
    assert len(connection_rows(backend)) == 1


def test_failure_leaves_the_link_open(api: Api, backend: Backend) -> None:
    from tests.integration.oauth_fakes import json_answer, token_answer

    refused = json_answer({"error": "invalid_grant"}, 400)
    with provider(token=[refused, token_answer(2)]) as crm:
        id = create_integration(api, crm)
        link = Link(api, id)
        denied = link.api(CALLBACK, {"state": link.state(id), "error": "access_denied"})
        assert_problem(denied, 422, "authorization_failed")
        assert_problem(link.complete(link.state(id)), 422, "authorization_failed")
        assert link.status() == "OPEN"
        assert link.complete(link.state(id)).status == 200
    assert link.status() == "COMPLETED"
    assert activity_log(api, id)[0] == ("connection.created", "SUCCEEDED", f"connect:{link.id}")


@pytest.mark.parametrize("after", [False, True], ids=["before the transaction", "after it"])
def test_crash_leaves_connection_and_link_consistent(api: Api, backend: Backend, *, after: bool) -> None:
    id = create_plain(api)
    link = Link(api, id)
    with killed("dynamodb.TransactWriteItems", after=after):
        link.api(f"POST {INTEGRATIONS}/{id}/connections", CREDENTIALS)
    assert (link.status(), len(connection_rows(backend))) == (("COMPLETED", 1) if after else ("OPEN", 0))


def test_completion_survives_a_lost_response_of_dynamodb(api: Api, crm: Provider) -> None:
    id = create_integration(api, crm)
    link = Link(api, id)
    state = link.state(id)
    with lost_once():
        assert link.complete(state).status == 200
    assert link.status() == "COMPLETED"


# ── the end of a link ────────────────────────────────────────────────────────────────────────────────


def test_revoked_link_is_refused_by_the_next_request(api: Api, crm: Provider) -> None:
    id = create_integration(api, crm)
    link = Link(api, id)
    state = link.state(id)
    for _ in range(2):
        assert api(f"DELETE {SESSIONS}/{link.id}").status == 200
    for answer in (link.api(PAGE), link.start(id), link.complete(state)):
        assert "revoked" in assert_problem(answer, 401)["detail"]
    guard.clear_cache()
    assert_problem(link.complete(state), 401)
    assert (link.status(), crm.token_requests) == ("REVOKED", [])


def test_revocation_while_the_provider_answers(api: Api, backend: Backend) -> None:
    """No connection is created, and the grant is revoked at the provider."""
    from tests.integration.oauth_fakes import token_answer
    from tests.receivers import Request

    links: list[Link] = []

    def revoke(request: Request) -> Any:
        assert api(f"DELETE {SESSIONS}/{links[0].id}").status == 200
        return token_answer(1)

    with provider(token=[revoke]) as crm:
        id = create_integration(api, crm)
        links.append(Link(api, id))
        assert_problem(links[0].complete(links[0].state(id)), 409)
        assert len(crm.revocations) == 1
    assert connection_rows(backend) == []
    assert links[0].status() == "REVOKED"


def test_link_expires(api: Api, crm: Provider, clock: Clock) -> None:
    owner = jwt_for("acme", claims=LATER)
    id = create_integration(api, crm, token=owner)
    link = Link(api, id, token=owner, expiresIn=60)
    clock.move(59)
    state = link.state(id)
    clock.move(1)
    for answer in (link.api(PAGE), link.start(id), link.complete(state)):
        assert "expired" in assert_problem(answer, 401)["detail"]
    (shown,) = api(f"GET {SESSIONS}", token=owner).json()["items"]
    assert shown["status"] == "EXPIRED"


def test_link_ends_with_the_key_that_made_it(api: Api, crm: Provider) -> None:
    id = create_integration(api, crm)
    key = api(f"POST {KEYS}", json={"name": "k", "scopes": ["connections:write"]}).json()
    link = Link(api, id, token=key["key"])
    state = link.state(id)
    assert api(f"DELETE {KEYS}/{key['id']}").status == 200
    for answer in (link.api(PAGE), link.complete(state)):
        assert "API key" in assert_problem(answer, 401)["detail"]
    assert crm.token_requests == []


def test_link_ends_when_its_key_may_no_longer_connect(api: Api, crm: Provider) -> None:
    id = create_integration(api, crm)
    scopes = ["connections:write", "events:publish"]
    key = api(f"POST {KEYS}", json={"name": "k", "scopes": scopes}).json()
    link = Link(api, id, token=key["key"])
    state = link.state(id)
    narrowed = api(f"PUT {KEYS}/{key['id']}", json={"scopes": ["events:publish"]})
    assert narrowed.status == 200, narrowed.text
    for answer in (link.api(PAGE), link.start(id), link.complete(state)):
        assert "API key" in assert_problem(answer, 401)["detail"]
    assert crm.token_requests == []


def test_requests_of_a_link_do_not_use_up_the_key_that_made_it(api: Api) -> None:
    id = create_plain(api)
    terms = {"name": "k", "scopes": ["connections:write"], "rateLimitPerHour": 2}
    key = api(f"POST {KEYS}", json=terms).json()
    link = Link(api, id, token=key["key"])
    for _ in range(5):
        assert link.api(PAGE).status == 200
    assert Link(api, id, token=key["key"]).page()["status"] == "OPEN"


# ── what a link costs ────────────────────────────────────────────────────────────────────────────────


def test_link_starts_a_bounded_number_of_flows(api: Api, crm: Provider, backend: Backend) -> None:
    id = create_integration(api, crm)
    link = Link(api, id)
    for _ in range(store.MAX_STARTS):
        assert link.start(id).status == 200
    assert "20 flows" in assert_problem(link.start(id), 403)["detail"]
    assert len(backend.rows("OAuthStatesTable")) == store.MAX_STARTS
    assert link.page()["status"] == "OPEN"


def test_link_serves_a_bounded_number_of_requests(
    api: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_REQUESTS", 3)
    link = Link(api, create_plain(api))
    for _ in range(3):
        assert link.api(PAGE).status == 200
    assert "too often" in assert_problem(link.api(PAGE), 401)["detail"]
    backend.calls.clear()
    for _ in range(10):
        assert_problem(link.api(PAGE), 401)
    assert backend.calls.made == [], "a dead link must cost nothing"


def test_stranger_cannot_use_up_a_link(api: Api) -> None:
    """A link's ID is not secret: it is the `createdBy` of the connection."""
    link = Link(api, create_plain(api))
    wrong = f"{link.token[:-1]}{'0' if link.token[-1] != '0' else '1'}"
    for _ in range(3):
        assert_problem(api(PAGE, token=wrong), 401)
        guard.clear_cache()
    page_requests = link.api(PAGE)
    assert page_requests.status == 200
    rows = [row for row in api_rows(link) if row["id"] == link.id]
    assert rows[0]["requests"] == 1


def api_rows(link: Link) -> list[dict[str, Any]]:
    from patchbay.settings import settings
    from tests.conftest import rows_of

    return rows_of(settings().sessions_table)


# ── creating, listing ────────────────────────────────────────────────────────────────────────────────


def test_invalid_link_is_refused(
    api: Api, crm: Provider, backend: Backend, subtests: pytest.Subtests
) -> None:
    id, plain = create_integration(api, crm, scopes=["read"]), create_plain(api)
    foreign = create_integration(api, crm, token=jwt_for("rival"))
    for body, path in (
        ({"integrations": []}, "integrations"),
        ({"integrations": [id] * 21}, "integrations"),
        ({"integrations": [id, foreign]}, "integrations.1"),
        ({"integrations": ["int_0355200000000000000001"]}, "integrations.0"),
        ({"integrations": [id], "scopes": ["write"]}, "scopes"),
        ({"integrations": [id, plain], "scopes": ["read"]}, "scopes"),
        ({"integrations": [plain], "scopes": ["read"]}, "scopes"),
        ({"integrations": [id], "connectionId": ".."}, "connectionId"),
        ({"integrations": [id], "connectionId": "con_0355200000000000000001"}, "connectionId"),
        ({"integrations": [id], "workspaceName": "a\u202eb"}, "workspaceName"),
        ({"integrations": [id], "requestedBy": "\u200b"}, "requestedBy"),
        ({"integrations": [id], "returnUrl": "https://evil.example/"}, "returnUrl"),
        ({"integrations": [id], "expiresIn": 604_801}, "expiresIn"),
        ({"integrations": [id], "expiresIn": 59}, "expiresIn"),
    ):
        with subtests.test(str(body)[:100]):
            assert_problem(api(f"POST {SESSIONS}", json=body), 422, paths=[path])
    assert api(f"PUT {INTEGRATIONS}/{id}/status", json={"status": "INACTIVE"}).status == 200
    inactive = api(f"POST {SESSIONS}", json={"integrations": [id]})
    assert_problem(inactive, 409, "integration_inactive")
    assert backend.rows("SessionsTable") == []


def test_link_shows_an_integration_that_was_switched_off_since(api: Api, crm: Provider) -> None:
    id, gone = create_integration(api, crm), create_plain(api)
    link = Link(api, id, gone)
    assert api(f"PUT {INTEGRATIONS}/{id}/status", json={"status": "INACTIVE"}).status == 200
    assert api(f"DELETE {INTEGRATIONS}/{gone}").status == 200
    (shown,) = link.page()["integrations"]
    assert (shown["id"], shown["isActive"]) == (id, False)
    assert_problem(link.start(id), 409, "integration_inactive")


def test_links_of_another_workspace_do_not_exist(api: Api) -> None:
    link = Link(api, create_plain(api))
    for token in (jwt_for("rival"), jwt_for("platform")):
        assert_problem(api(f"DELETE {SESSIONS}/{link.id}", token=token), 404)
        assert api(f"GET {SESSIONS}", token=token).json()["items"] == []
    assert_problem(api(PAGE, token=link.token.replace("acme", "rival")), 401)
    assert link.page()["workspaceId"] == "acme"


def test_page_is_only_for_links(api: Api) -> None:
    for token in (OWNER, None, "garbage"):
        assert_problem(api(PAGE, token=token), 401)


def test_nothing_secret_is_stored_or_logged(api: Api, backend: Backend, crm: Provider, logs: Any) -> None:
    id = create_integration(api, crm)
    link = Link(api, id)
    assert link.complete(link.state(id)).status == 200
    link.api(PAGE)
    stored = repr(
        [backend.rows(table.logical_id) for table in backend.template.of_type("AWS::DynamoDB::Table")]
    )
    for secret in (link.token, link.token.rpartition("_")[2]):
        assert secret not in stored
        assert secret not in logs.getvalue()
    assert link.token not in api(f"GET {SESSIONS}").text


def test_audit_log_has_the_link_as_actor(api: Api, crm: Provider) -> None:
    id = create_integration(api, crm)
    link = Link(api, id)
    assert link.complete(link.state(id)).status == 200
    entries = api("GET /api/audit").json()["items"]
    assert [(entry["action"], entry["actor"]) for entry in entries[:3]] == [
        ("oauth.complete", f"connect:{link.id}"),
        ("oauth.initiate", f"connect:{link.id}"),
        ("connect_sessions.create", "user:someone"),
    ]
