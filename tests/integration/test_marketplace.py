"""The marketplace: what is listed is what the platform approved, whatever its publisher does; a copy works
with the publisher's client and shows nothing of it; and who publishes cannot say who they are.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError

from patchbay import vault
from patchbay.api_model import MASK
from patchbay.auth.principal import Principal
from patchbay.catalogue.templates import all_templates
from patchbay.clock import now_ms
from patchbay.errors import Conflict, NotFound, ValidationFailed
from patchbay.ids import IntegrationId
from patchbay.integrations import store
from patchbay.integrations.client import client_of
from patchbay.oauth import connections, token_endpoint
from patchbay.oauth import store as connections_store
from patchbay.oauth.maintenance import RunSummary, run_due
from patchbay.oauth.models import AuthType
from patchbay.oauth.token_response import TokenSet
from patchbay.oauth.tokens import with_tokens
from patchbay.providers import provider as providers
from patchbay.settings import settings
from patchbay.storage import dynamo
from tests.conftest import LAMBDA_CONTEXT, OWNER, REDIRECT_URI, Answer, Api, Backend, jwt_for
from tests.faults import dying, killed, meanwhile, one_at_a_time

PATH = "/api/integrations"
MARKET = "/api/integrations/marketplace"
SECRET = "the-publishers-own-secret-5f2c"
FRESH = "the-publishers-fresh-secret-77aa"
PRIVATE = "only-for-the-publisher-91d0"
ACCESS, REFRESH = "access-token-4e1b-of-a-user", "refresh-token-0c3d-of-a-user"
PUBLISHER = {"workspace_id": "acme"}
OFFER: dict[str, Any] = {
    "name": "HubSpot for newsrooms",
    "type": "CRM",
    "provider": "hubspot",
    "description": "Contacts of readers.",
    "logoUrl": "https://cdn.example/hub.png",
    "config": {
        "clientId": "publishers-client-1",
        "clientSecret": SECRET,
        "apiKey": PRIVATE,
        "redirectUris": ["https://publisher.example/back"],
    },
    "scopes": ["oauth", "crm.objects.contacts.read"],
    "rateLimitPerHour": 100,
    "rateLimitPerDay": 1000,
    "metadata": {"note": PRIVATE},
}


def create(api: Api, token: str = OWNER, **changes: Any) -> Answer:
    return api(f"POST {PATH}", json={**OFFER, **changes}, token=token)


def make(api: Api, token: str = OWNER, **changes: Any) -> Any:
    answer = create(api, token, **changes)
    assert answer.status == 201, answer.text
    return answer.json()


def get(api: Api, integration: Any, token: str = OWNER, query: str = "") -> Any:
    answer = api(f"GET {PATH}/{integration['id']}{query}", token=token)
    assert answer.status == 200, answer.text
    return answer.json()


def put(api: Api, integration: Any, token: str = OWNER, **body: Any) -> Answer:
    return api(f"PUT {PATH}/{integration['id']}", json=body, token=token)


def changed(api: Api, integration: Any, token: str = OWNER, **body: Any) -> Any:
    answer = put(api, integration, token, **body)
    assert answer.status == 200, answer.text
    return answer.json()


def review(**event: Any) -> Any:
    """The function that the platform's operators invoke."""
    return importlib.import_module("workers.review_publication").handler(event, LAMBDA_CONTEXT)


def decide(integration: Any, decision: str = "APPROVE", workspace: str = "acme", **more: Any) -> Any:
    return review(
        workspaceId=workspace,
        integrationId=integration["id"],
        decision=decision,
        **{"version": integration["version"], **more},
    )


def approve(api: Api, integration: Any, **more: Any) -> None:
    """As it now stands."""
    decide(get(api, integration), **more)


def listed(api: Api, **changes: Any) -> Any:
    """One that is in the marketplace."""
    made = make(api, isPublic=True, **changes)
    approve(api, made, publisherName="Acme Inc.", verified=True)
    return made


def install(api: Api, integration: Any, token: str | None = None, **more: Any) -> Answer:
    id = integration if isinstance(integration, str) else integration["id"]
    return api(f"POST {PATH}/{id}/install", token=token or theirs(), **more)


def installed(api: Api, integration: Any, token: str | None = None) -> Any:
    answer = install(api, integration, token)
    assert answer.status == 201, answer.text
    return answer.json()


def initiate(api: Api, integration: Any, token: str | None = None, uri: str = REDIRECT_URI) -> Answer:
    line = f"POST {PATH}/{integration['id']}/oauth/initiate"
    return api(line, json={"redirectUri": uri}, token=token or theirs())


def theirs() -> str:
    """The owner of the workspace that installs."""
    return jwt_for("globex")


def items(answer: Answer) -> list[Any]:
    assert answer.status == 200, answer.text
    found: list[Any] = answer.json()["items"]
    return found


def market(api: Api, query: str = "limit=100") -> list[Any]:
    """What is listed of others and one's own, without the built-in templates."""
    found = items(api(f"GET {MARKET}?{query}", token=theirs()))
    return [one for one in found if one["publisher"]["workspaceId"] != "platform"]


def pages(api: Api, line: str, limit: int, token: str = OWNER) -> list[Any]:
    found, cursor = [], ""
    while True:
        page = api(f"{line}{'&' if '?' in line else '?'}limit={limit}{cursor}", token=token).json()
        assert len(page["items"]) <= limit
        found += page["items"]
        if page["nextCursor"] is None:
            return found
        cursor = f"&cursor={page['nextCursor']}"


def log(api: Api, integration: Any, token: str = OWNER, query: str = "") -> list[tuple[str, str, str]]:
    found = items(api(f"GET {PATH}/{integration['id']}/logs{query}", token=token))[::-1]
    return [(entry["action"], entry["actor"], entry["detail"]) for entry in found]


def tables(backend: Backend) -> dict[str, list[str]]:
    names = {table.logical_id for table in backend.template.of_type("AWS::DynamoDB::Table")}
    kept = names - {"RateLimitsTable", "DataKeysTable"}
    return {name: sorted(map(repr, backend.rows(name))) for name in kept}


def refused(answer: Answer, status: int, *named: str) -> None:
    codes = {403: "forbidden", 404: "not_found", 409: "conflict", 422: "validation_failed"}
    assert (answer.status, answer.json().get("code")) == (status, codes[status]), answer.text
    for text in named:
        assert text in answer.json()["detail"], answer.text


def stopped(answer: Answer, reason: str) -> None:
    assert (answer.status, answer.json()["code"]) == (409, "integration_inactive"), answer.text
    assert reason in answer.json()["detail"]


@pytest.fixture(autouse=True)
def _one_call_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The schedule works several connections at once."""
    one_at_a_time(monkeypatch)


def kept_up() -> RunSummary:
    return run_due(lambda: 900_000)


def plant(workspace: str, integration: Any) -> None:
    """A connection whose token ended just now, as the flow leaves it; the provider itself is out of reach."""
    kept = store.get(workspace, IntegrationId(integration["id"]))
    provider = providers.load("hubspot")
    assert kept is not None
    assert provider is not None
    assert provider.oauth is not None
    who = Principal(workspace, "user:someone")
    bare = connections.new_connection(who, kept, "default", AuthType.OAUTH2, None)
    tokens = TokenSet(access_token=ACCESS, refresh_token=REFRESH, expires_in=300)
    new = with_tokens(bare, provider.oauth, tokens, vault.sealer(workspace), now_ms() - 300_000)
    connections_store.connect(new, None, [])


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be sent to a provider."""

    def sent(*_: Any, **__: Any) -> None:
        raise AssertionError("something was sent to a provider")

    monkeypatch.setattr(token_endpoint, "_run", sent)


# ── publishing ───────────────────────────────────────────────────────────────────────────────────────

UNFIT: list[tuple[dict[str, Any], str]] = [
    ({"provider": None}, "built-in OAuth providers, "),
    ({"provider": "nobody-knows"}, "built-in OAuth providers, "),
    ({"provider": "activecampaign"}, "built-in OAuth providers, "),
    ({"config": {}}, "its own client"),
    ({"config": {"clientId": "c"}}, "its own client"),
    ({"config": {"clientSecret": SECRET}}, "its own client"),
    (
        {"provider": "salesforce", "config": {"clientId": "c", "clientSecret": SECRET, "domain": "test"}},
        "remove domain from config",
    ),
]


def test_what_is_published_has_a_built_in_provider_and_a_client_of_its_own(
    api: Api, backend: Backend
) -> None:
    unable = jwt_for("acme", scope="integrations:read integrations:write credentials:write")
    refused(create(api, unable, isPublic=True), 403, "integrations:publish")
    own = {"authorizationUrl": "https://a.example/a", "tokenUrl": "https://a.example/t"}
    for body, named in [*UNFIT, ({"provider": None, "config": {**OFFER["config"], **own}}, "built-in OAuth")]:
        refused(create(api, isPublic=True, **body), 422, "isPublic", named)
        made = make(api, **body)
        refused(put(api, made, isPublic=True), 422, named)
        # A status that somebody set says nothing of what is there.
        for status in ("INACTIVE", "ERROR"):
            api(f"PUT {PATH}/{made['id']}/status", json={"status": status})
            refused(put(api, made, isPublic=True), 422, named)
        refused(put(api, made, unable, isPublic=True), 403, "integrations:publish")
        made = get(api, made)
        assert (made["isPublic"], made["reviewStatus"], made["publisher"]) == (False, None, None)
    assert review() == {"waiting": []}
    assert market(api) == []
    assert not any(row["workspaceId"].startswith("#") for row in backend.rows("IntegrationsTable"))
    public = make(api, isPublic=True)
    refused(put(api, public, config={"clientSecret": None}), 422, "its own client")
    own_nulls: dict[str, Any] = {"provider": None, "config": {"clientSecret": FRESH}}
    refused(put(api, public, **own_nulls), 422, "built-in OAuth")


def test_nothing_is_public_before_the_platform_approves_that_very_version(api: Api, backend: Backend) -> None:
    made = make(api, isPublic=True)
    assert (made["reviewStatus"], made["isPublic"]) == ("PENDING", True)
    assert made["publisher"] == {"workspaceId": "acme", "name": None, "verified": False}

    def unlisted() -> None:
        assert market(api) == []
        for token in (theirs(), OWNER, jwt_for("platform")):
            refused(install(api, made, token), 404)
        assert items(api(f"GET {PATH}?includePublic=true", token=theirs())) == []

    unlisted()
    (waiting,) = review()["waiting"]
    assert waiting == {
        "workspaceId": "acme", "integrationId": made["id"], "since": waiting["since"], "version": 1,
        "name": OFFER["name"], "description": OFFER["description"], "provider": "hubspot",
        "scopes": OFFER["scopes"], "logoUrl": OFFER["logoUrl"], "clientId": "publishers-client-1",
    }  # fmt: skip
    # Changed since it was looked at: by its publisher, in whatever.
    for change in (
        {"description": "Send us your passwords."},
        {"metadata": {"a": 1}},
        {"rateLimitPerHour": 9},
    ):
        changed(api, made, **change)
        with pytest.raises(Conflict, match="Look at it again"):
            decide(made)
        made = get(api, made)
        unlisted()
    api(f"PUT {PATH}/{made['id']}/status", json={"status": "INACTIVE"})
    with pytest.raises(Conflict):
        decide(made)
    made = get(api, made)
    with (
        pytest.raises(Conflict, match="just changed"),
        meanwhile("dynamodb.TransactWriteItems", lambda: changed(api, made, name="Bank of Acme")),
    ):
        decide(made)
    made = get(api, made)
    unlisted()
    before = tables(backend)
    for version in (None, made["version"] + 1, made["version"] - 1, 0):
        with pytest.raises(Conflict):
            decide(made, version=version)
    for workspace in ("globex", "platform"):
        with pytest.raises(NotFound):
            decide(made, workspace=workspace)
    event: dict[str, Any] = {"integrationId": made["id"], "workspaceId": "acme", "version": made["version"]}
    for wrong in (
        {"decision": "approve"},
        {"decision": "APPROVE", "force": True},
        {"integrationId": "int_x"},
    ):
        with pytest.raises(ValidationError):
            review(**event | wrong)
    for part in ({"decision": "APPROVE"}, {"workspaceId": "acme"}, event, {"version": 1}):
        with pytest.raises(ValidationFailed):
            review(**part)
    assert tables(backend) == before
    decide(made, publisherName="Acme Inc.")
    assert [one["name"] for one in market(api)] == ["Bank of Acme"]
    assert review() == {"waiting": []}
    for decision in ("APPROVE", "REJECT"):
        with pytest.raises(Conflict, match="APPROVED"):
            decide(get(api, made), decision)
    with pytest.raises(Conflict):
        decide(make(api))


def test_a_review_and_its_listing_and_entry_are_one(api: Api, backend: Backend) -> None:
    for decision, action in (("APPROVE", "publication.approved"), ("REJECT", "publication.rejected")):
        made = make(api, isPublic=True)
        before = tables(backend)
        with killed("dynamodb.TransactWriteItems"):
            decide(made, decision, reason="so be it")
        assert tables(backend) == before
        with killed("dynamodb.TransactWriteItems", after=True):
            decide(made, decision, reason="so be it")
        assert log(api, made)[1:] == [(action, "platform", "so be it")]
        assert get(api, made)["statusReason"] == "so be it"
        assert len(market(api)) == 1
        assert review() == {"waiting": []}


def test_the_platform_s_own_is_approved_at_once(api: Api) -> None:
    platform = jwt_for("platform")
    made = make(api, platform, isPublic=True)
    assert made["reviewStatus"] == "APPROVED"
    assert made["publisher"] == {"workspaceId": "platform", "name": "platform", "verified": True}
    new = changed(api, made, platform, name="Ours")
    (found,) = (one for one in items(api(f"GET {MARKET}?limit=100")) if one["id"] == made["id"])
    assert (found["name"], found["version"], new["reviewStatus"]) == ("Ours", new["version"], "APPROVED")
    assert installed(api, made)["publisher"] == new["publisher"]
    changed(api, made, platform, isPublic=False)
    refused(install(api, made), 404)
    # Who only calls themselves so is not.
    for name in ("Platform", "platform-", "platform_"):
        assert make(api, jwt_for(name), isPublic=True)["reviewStatus"] == "PENDING"


# ── what is shown ────────────────────────────────────────────────────────────────────────────────────


def test_a_listing_is_the_approved_snapshot_without_config_and_metadata(api: Api, backend: Backend) -> None:
    made = listed(api)
    (found,) = market(api)
    assert found == {
        "id": made["id"],
        **{name: OFFER[name] for name in ("name", "type", "provider", "description", "logoUrl", "scopes")},
        "status": "ACTIVE",
        "statusReason": None,
        "config": {},
        "rateLimitPerHour": 100,
        "rateLimitPerDay": 1000,
        "isPublic": True,
        "reviewStatus": "APPROVED",
        "publisher": {"workspaceId": "acme", "name": "Acme Inc.", "verified": True},
        "installedFrom": None,
        "metadata": {},
        "connectionCount": 0,
        "createdAt": made["createdAt"],
        "updatedAt": found["updatedAt"],
        "version": 2,
    }
    plant("acme", made)
    for line in (
        f"GET {MARKET}?limit=100",
        f"GET {PATH}?includePublic=true",
        f"GET {MARKET}?search=newsrooms",
    ):
        text = api(line, token=theirs()).text
        assert made["id"] in text
        for hidden in (SECRET, PRIVATE, MASK, "publishers-client-1", "publisher.example", "user:someone"):
            assert hidden not in text
        assert all(one["connectionCount"] == 0 for one in json.loads(text)["items"])
    (kept,) = (row for row in backend.rows("IntegrationsTable") if row["workspaceId"] == "#marketplace")
    for hidden in (SECRET, PRIVATE, "publisher.example"):
        assert hidden not in repr(kept)


# Each edit of what was reviewed, and whether what is listed stays so meanwhile.
EDITS: list[tuple[dict[str, Any], bool]] = [
    ({"name": "Bank of Acme"}, True),
    ({"type": "SOCIAL"}, True),
    ({"description": "Send us your passwords."}, True),
    ({"logoUrl": "https://evil.example/x.png"}, True),
    ({"logoUrl": None}, True),
    ({"scopes": ["oauth", "everything"]}, True),
    ({"config": {"redirectUris": ["https://evil.example/"]}}, True),
    ({"config": {"clientId": "another-client", "clientSecret": FRESH}}, False),
    ({"provider": "google", "config": {"clientSecret": FRESH}}, False),
]


def test_an_edit_of_what_was_reviewed_waits_for_a_new_word(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    editor = jwt_for("acme", scope="integrations:write integrations:read credentials:write")
    for body, stays in EDITS:
        with subtests.test(str(body)):
            made = listed(api)
            (before,) = (one for one in market(api) if one["id"] == made["id"])
            refused(put(api, made, editor, **body), 403, "integrations:publish")
            assert changed(api, made, **body)["reviewStatus"] == "PENDING"
            assert [one for one in market(api) if one["id"] == made["id"]] == ([before] if stays else [])
            assert install(api, made).status == (201 if stays else 404)
            if stays:
                copy = installed(api, made)
                assert all(copy[name] == OFFER[name] for name in body if name != "config")
            decide(get(api, made), "REJECT", reason="no")
            shown = get(api, made)
            assert (shown["reviewStatus"], shown["statusReason"]) == ("REJECTED", "no")
            assert shown["publisher"] == {"workspaceId": "acme", "name": "Acme Inc.", "verified": True}
            assert [one for one in market(api) if one["id"] == made["id"]] == ([before] if stays else [])
            changed(api, made, name="Better now")
            approve(api, made, publisherName="Acme Corp.")
            (after,) = (one for one in market(api) if one["id"] == made["id"])
            assert after["name"] == "Better now"
            assert after["publisher"] == {"workspaceId": "acme", "name": "Acme Corp.", "verified": False}
            assert all(after[name] == body[name] for name in body if name not in ("name", "config"))
            changed(api, made, isPublic=False)
    assert market(api) == []


def test_edits_of_what_nobody_reviewed_change_no_listing(api: Api) -> None:
    made = listed(api)
    before = market(api)
    editor = jwt_for("acme", scope="integrations:write integrations:read")
    for body in (
        {"metadata": {"note": "more"}},
        {"rateLimitPerHour": 7, "rateLimitPerDay": 8},
        {"config": {"clientSecret": FRESH, "another": PRIVATE}},
        {"isPublic": True},
    ):
        assert changed(api, made, editor, **body)["reviewStatus"] == "APPROVED"
    api(f"PUT {PATH}/{made['id']}/status", json={"status": "INACTIVE", "reason": PRIVATE})
    assert market(api) == before
    assert review() == {"waiting": []}


def test_who_publishes_cannot_say_who_they_are(api: Api) -> None:
    for body in (
        {"publisher": {"workspaceId": "platform", "name": "Patchbay", "verified": True}},
        {"publisherName": "Patchbay"},
        {"publisherVerified": True},
        {"reviewStatus": "APPROVED"},
        {"sourceWorkspaceId": "platform"},
        {"workspaceId": "platform"},
    ):
        assert create(api, isPublic=True, **body).status == 422
    made = make(api, isPublic=True, metadata={"publisher": {"verified": True}})
    decide(made)
    (found,) = market(api)
    assert found["publisher"] == {"workspaceId": "acme", "name": None, "verified": False}
    copy = installed(api, made)
    changed(api, made, description="new")
    approve(api, made, publisherName="Acme Inc.", verified=True)
    assert get(api, copy, theirs())["publisher"] == found["publisher"], "a copy says what it was made from"
    # A new application under an approved name does not inherit it.
    changed(api, made, isPublic=False)
    changed(api, made, isPublic=True, name="Patchbay")
    assert market(api) == []
    decide(get(api, made), publisherName="Acme again")
    assert market(api)[0]["publisher"] == {"workspaceId": "acme", "name": "Acme again", "verified": False}


def test_what_the_platform_withdraws_is_gone_and_its_copies_stop(api: Api, backend: Backend) -> None:
    made, bystander = listed(api), listed(api, name="Another")
    copy, other, late = installed(api, made), installed(api, bystander), installed(api, made)
    put(api, made, description="changed since")  # at any version
    decide(made, "WITHDRAW", reason="It is a thief's.")
    assert [one["id"] for one in market(api)] == [bystander["id"]]
    refused(install(api, made), 404)
    stopped(initiate(api, copy), "withdrawn_by_platform")
    assert kept_up().tasks == 1
    for one in (copy, late):
        shown = get(api, one, token=theirs())
        assert (shown["status"], shown["statusReason"]) == ("ERROR", "withdrawn_by_platform")
    assert initiate(api, other).status == 200
    shown = get(api, made)
    assert (shown["reviewStatus"], shown["statusReason"]) == ("REJECTED", "It is a thief's.")
    assert log(api, made)[-1][:2] == ("publication.withdrawn", "platform")
    # Nothing that its publisher does brings it back, but what the platform approves does.
    put(api, made, isPublic=False)
    put(api, made, isPublic=True)
    assert market(api)[-1]["id"] == bystander["id"]
    activate = {"status": "ACTIVE"}
    stopped(api(f"PUT {PATH}/{copy['id']}/status", json=activate, token=theirs()), "withdrawn_by_platform")
    approve(api, made)
    assert api(f"PUT {PATH}/{copy['id']}/status", json=activate, token=theirs()).status == 200
    assert initiate(api, copy).status == 200


# ── looking ──────────────────────────────────────────────────────────────────────────────────────────


def test_listings_come_first_and_then_the_built_in_templates(api: Api) -> None:
    made = [
        listed(api, name="Zebra CRM", description="stripes"),
        listed(api, name="Reader Größe", description="About ZEBRAS", type="SOCIAL"),
        listed(api, name="Third", type="CUSTOM"),
    ]
    whole = pages(api, f"GET {MARKET}", 100)
    assert [one["id"] for one in whole[:3]] == [one["id"] for one in made[::-1]]
    templates = whole[3 : 3 + len(list(providers.names()))]
    assert [one["provider"] for one in templates] == list(providers.names())
    for template in templates:
        assert template["id"] == IntegrationId.of_template(template["provider"])
        assert (template["config"], template["metadata"], template["installedFrom"]) == ({}, {}, None)
    automations = whole[3 + len(templates) :]
    assert [one["metadata"]["template"]["key"] for one in automations] == [one.key for one in all_templates()]
    for one in templates + automations:
        assert one["publisher"] == {"workspaceId": "platform", "name": "Patchbay", "verified": True}
    for limit in (1, 2, 3, 4, 7):
        assert pages(api, f"GET {MARKET}", limit) == whole, limit

    def found(query: str, limit: int = 100) -> list[str]:
        return [one["name"] for one in pages(api, f"GET {MARKET}?{query}", limit)]

    assert found("search=zebra") == found("search=ZEBRA", 1) == ["Reader Größe", "Zebra CRM"]
    assert found("search=gr%C3%96%C3%9Fe") == found("search=GR%C3%96SSE") == ["Reader Größe"]
    assert found("search=hubspot", 1) == [
        *("Third", "Reader Größe", "Zebra CRM", "HubSpot", "Mention Received to HubSpot Note"),
    ]
    assert found("type=SOCIAL", 1)[0] == "Reader Größe"
    assert found("type=CRM&search=zebra") == ["Zebra CRM"]
    assert found("type=N8N&search=zebra") == []
    assert (
        found("search=publishers-client-1") == found(f"search={SECRET}") == found(f"search={PRIVATE}") == []
    )
    assert found("search=") == [one["name"] for one in whole]
    for query in (
        "type=crm", f"search={'x' * 101}", "limit=0", "cursor=2.", "cursor=1.x", "cursor=1.-1", "cursor=0.x",
        "cursor=1.9999999999", "cursor=x", "cursor=.", "cursor=%D9%A1.",
    ):  # fmt: skip
        refused(api(f"GET {MARKET}?{query}"), 422)
    assert items(api(f"GET {MARKET}?cursor=1.99999999")) == []


def test_a_list_with_the_public_ones_has_ones_own_first(api: Api) -> None:
    public = [listed(api, name="a"), listed(api, name="b", type="SOCIAL", provider="google")]
    own = [make(api, theirs(), name="c"), make(api, theirs(), name="d", isPublic=True)]
    decide(own[1], workspace="globex")
    wanted = [one["id"] for one in [*own[::-1], *public[::-1]]]
    for limit in (1, 2, 3, 100):
        assert [one["id"] for one in pages(api, f"GET {PATH}?includePublic=true", limit, theirs())] == wanted

    def found(query: str) -> list[str]:
        line = f"GET {PATH}?includePublic=true&{query}"
        return [one["name"] for one in pages(api, line, 1, theirs())]

    assert found("type=SOCIAL") == ["b"]
    assert found("provider=hubspot") == ["d", "c", "a"]
    assert found("provider=google&type=CRM") == []
    assert found("status=ACTIVE") == ["d", "c", "b", "a"]
    assert found("status=INACTIVE") == []
    assert [one["name"] for one in pages(api, f"GET {PATH}", 1, theirs())] == ["d", "c"]
    shown = pages(api, f"GET {PATH}?includePublic=true", 100, theirs())
    assert [one["config"] for one in shown[2:]] == [{}, {}]


# ── copies ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_copy_works_with_the_publisher_s_client_and_shows_nothing_of_it(api: Api, backend: Backend) -> None:
    made = listed(api)
    copy = installed(api, made)
    assert copy == {
        **{name: OFFER[name] for name in ("name", "type", "provider", "description", "logoUrl", "scopes")},
        "id": copy["id"],
        "status": "ACTIVE",
        "statusReason": None,
        "config": {},
        "rateLimitPerHour": 100,
        "rateLimitPerDay": 1000,
        "isPublic": False,
        "reviewStatus": None,
        "publisher": {"workspaceId": "acme", "name": "Acme Inc.", "verified": True},
        "installedFrom": made["id"],
        "metadata": {},
        "connectionCount": 0,
        "createdAt": copy["createdAt"],
        "updatedAt": copy["createdAt"],
        "version": 1,
    }
    assert copy["id"] != made["id"]
    assert get(api, copy, theirs()) == copy
    assert get(api, copy, theirs(), "?reveal=true")["config"] == {}
    query = parse_qs(urlsplit(initiate(api, copy).json()["authorizationUrl"]).query)
    assert query["client_id"] == ["publishers-client-1"]
    assert query["redirect_uri"] == [REDIRECT_URI]
    for uri in OFFER["config"]["redirectUris"]:
        refused(initiate(api, copy, uri=uri), 422, "AllowedRedirectUris")
        assert initiate(api, made, OWNER, uri).status == 200
    kept = store.get("globex", IntegrationId(copy["id"]))
    assert kept is not None
    serving = client_of(kept)
    assert (serving.client_id, serving.client_secret) == ("publishers-client-1", SECRET)
    assert SECRET not in repr(serving) + repr(kept)
    everything = "".join(text for rows in tables(backend).values() for text in rows)
    assert SECRET not in everything
    log_text = api(f"GET {PATH}/{copy['id']}/logs", token=theirs()).text
    for text in (log_text, api(f"GET {PATH}", token=theirs()).text):
        for hidden in (SECRET, PRIVATE, "publisher.example"):
            assert hidden not in text
    assert ("integration.installed", "user:someone", f"a copy of {made['id']}") in log(api, copy, theirs())


def test_a_copy_takes_no_config_and_no_other_provider_and_cannot_be_published(
    api: Api, backend: Backend
) -> None:
    copy = installed(api, listed(api))
    before = tables(backend)
    for body, path in (
        ({"config": {"clientId": "mine"}}, "config.clientId"),
        ({"config": {"clientSecret": "mine"}}, "config.clientSecret"),
        ({"config": {"redirectUris": ["https://evil.example/"]}}, "config.redirectUris"),
        ({"config": {"tokenUrl": "https://evil.example/"}}, "config.tokenUrl"),
        ({"config": {"clientId": None}}, "config.clientId"),
        ({"provider": "google"}, "provider"),
        ({"provider": None}, "provider"),
        ({"provider": "mine", "config": {"tokenUrl": "https://evil.example/"}}, "config.tokenUrl"),
        ({"isPublic": True}, "isPublic"),
        ({"installedFrom": None}, "installedFrom"),
    ):
        answer = put(api, copy, theirs(), **body)
        refused(answer, 422)
        assert answer.json()["errors"][0]["path"] == path
    assert tables(backend) == before
    # What was read may be sent back, and the rest is the installer's own.
    names = ("name", "type", "provider", "description", "logoUrl", "config", "scopes", "metadata", "isPublic")
    assert changed(api, copy, theirs(), **{name: copy[name] for name in names}) == copy
    new = changed(api, copy, theirs(), name="Ours", metadata={"a": 1}, rateLimitPerHour=5)
    assert (new["name"], new["metadata"], new["rateLimitPerHour"], new["status"]) == (
        "Ours",
        {"a": 1},
        5,
        "ACTIVE",
    )


def scopes_asked(api: Api, copy: Any, **body: Any) -> list[str]:
    """What the user would be asked for."""
    answer = connect(api, copy, **body)
    assert answer.status == 200, answer.text
    query = parse_qs(urlsplit(answer.json()["authorizationUrl"]).query)
    return query.get("scope", [""])[0].split()


def connect(api: Api, copy: Any, **body: Any) -> Answer:
    line = f"POST {PATH}/{copy['id']}/oauth/initiate"
    return api(line, json={"redirectUri": REDIRECT_URI, **body}, token=theirs())


BEYOND_APPROVED: list[tuple[dict[str, Any], str, str]] = [
    ({"scopes": ["oauth", "crm.objects.contacts.write"]}, "scopes", "oauth, crm.objects.contacts.read"),
    ({"scopes": [*OFFER["scopes"], "files"]}, "scopes", "files"),
    ({"rateLimitPerHour": 101}, "rateLimitPerHour", "at most 100"),
    ({"rateLimitPerHour": 1_000_000}, "rateLimitPerHour", "at most 100"),
    ({"rateLimitPerHour": None}, "rateLimitPerHour", "at most 100"),
    ({"rateLimitPerDay": 1_001}, "rateLimitPerDay", "at most 1000"),
    ({"rateLimitPerDay": None, "name": "x"}, "rateLimitPerDay", "at most 1000"),
]


@pytest.mark.parametrize("older", [False, True], ids=["", "from before copies kept bounds"])
def test_a_copy_stays_within_the_scopes_and_limits_that_were_approved(
    api: Api, backend: Backend, older: bool
) -> None:
    made = listed(api)
    copy = installed(api, made)
    if older:
        strip_bounds(copy)
    # What the publisher wishes since then gives the copy no more.
    changed(api, made, scopes=["oauth", "files"], rateLimitPerHour=500)
    before = tables(backend)
    for body, path, named in BEYOND_APPROVED:
        answer = put(api, copy, theirs(), **body)
        refused(answer, 422, named)
        assert [error["path"] for error in answer.json()["errors"]] == [path], body
    for asked in (["files"], ["oauth", "files"], []):
        refused(connect(api, copy, scopes=asked), 422, "scopes")
    assert tables(backend) == before
    assert scopes_asked(api, copy) == OFFER["scopes"]

    narrow = changed(api, copy, theirs(), scopes=["oauth"], rateLimitPerHour=5, rateLimitPerDay=6)
    assert (narrow["scopes"], narrow["rateLimitPerHour"]) == (["oauth"], 5)
    assert scopes_asked(api, copy, connectionId="default") == ["oauth"]
    # And back; to list none is to ask for what was approved.
    assert changed(api, copy, theirs(), scopes=[], rateLimitPerHour=100)["scopes"] == []
    assert scopes_asked(api, copy, connectionId="default") == OFFER["scopes"]
    refused(connect(api, copy, scopes=["files"]), 422, "files")
    assert changed(api, copy, theirs(), scopes=OFFER["scopes"])["scopes"] == OFFER["scopes"]


def strip_bounds(copy: Any) -> None:
    names = "approvedScopes, approvedPerHour, approvedPerDay"
    place = store.key("globex", IntegrationId(copy["id"]))
    dynamo.update(settings().integrations_table, place, f"REMOVE {names}")


def test_a_snapshot_without_scopes_or_limits_means_the_provider_s_default_scopes_and_no_limit(
    api: Api,
) -> None:
    copy = installed(api, listed(api, scopes=[], rateLimitPerHour=None, rateLimitPerDay=None))
    provider = providers.load("hubspot")
    assert provider is not None
    assert provider.oauth is not None
    default = list(provider.oauth.default_scopes)
    assert scopes_asked(api, copy) == default
    refused(connect(api, copy, scopes=["files"]), 422, "files")
    refused(put(api, copy, theirs(), scopes=["files"]), 422, "files")
    assert changed(api, copy, theirs(), rateLimitPerHour=1_000_000)["rateLimitPerHour"] == 1_000_000


def test_the_copies_of_a_workspace_share_the_publisher_s_limit_also_with_deleted_ones(api: Api) -> None:
    made = listed(api, rateLimitPerHour=6)
    one, other, low = (installed(api, made) for _ in range(3))
    changed(api, low, theirs(), rateLimitPerHour=1)
    assert [initiate(api, copy).status for copy in (one, other, low, low, one)] == [200, 200, 200, 429, 200]
    assert api(f"DELETE {PATH}/{one['id']}", token=theirs()).status == 200
    again = installed(api, made)
    assert [initiate(api, again).status for _ in range(3)] == [200, 200, 429]
    answer = initiate(api, other)
    assert (answer.status, answer.json()["code"]) == (429, "rate_limited")
    assert "copies of the integration have reached the limit of 6 uses" in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) > 0
    # The publisher's own uses and those of other workspaces are counted apart.
    assert initiate(api, made, OWNER, OFFER["config"]["redirectUris"][0]).status == 200
    third = jwt_for("initech")
    assert initiate(api, installed(api, made, third), third).status == 200


def test_a_copy_of_a_template_is_set_up_by_its_installer(api: Api, subtests: pytest.Subtests) -> None:
    for name in providers.names():
        provider = providers.load(name)
        assert provider is not None
        with subtests.test(name):
            copy = installed(api, IntegrationId.of_template(name))
            assert (copy["name"], copy["provider"], copy["type"]) == (provider.label, name, provider.type)
            assert (copy["installedFrom"], copy["publisher"]) == (IntegrationId.of_template(name), None)
            assert copy["status"] == ("ACTIVE" if provider.oauth is None else "PENDING_SETUP")
    hubspot = installed(api, IntegrationId.of_template("hubspot"))
    config = {"clientId": "mine", "clientSecret": "my-secret", "redirectUris": ["https://mine.example/back"]}
    assert changed(api, hubspot, theirs(), config=config)["status"] == "ACTIVE"
    url = initiate(api, hubspot, uri="https://mine.example/back").json()["authorizationUrl"]
    assert parse_qs(urlsplit(url).query)["client_id"] == ["mine"]
    for id in (
        IntegrationId.of_template("nobody"),
        IntegrationId.of_template("../hubspot"),
        IntegrationId.new(),
    ):
        refused(install(api, id), 404)
    refused(api(f"GET {PATH}/{IntegrationId.of_template('hubspot')}"), 404)


def test_templates_of_automations_are_plans_of_what_to_build(api: Api, subtests: pytest.Subtests) -> None:
    """Each platform has some, in both directions; an installed one is there for its workspace to build."""
    plans = {template.key: template for template in all_templates()}
    for platform in ("zapier", "make", "n8n"):
        listed = items(api(f"GET {MARKET}?type={platform.upper()}&limit=100"))
        with subtests.test(platform):
            assert len(listed) >= 3
            assert {one["type"] for one in listed} == {platform.upper()}
            whens = [one["metadata"]["template"]["when"] for one in listed]
            assert {"event" in when for when in whens} == {True, False}
        for one in listed:
            with subtests.test(one["name"]):
                plan = plans[one["metadata"]["template"]["key"]]
                assert (plan.platform, plan.name, plan.description) == (
                    *(platform, one["name"], one["description"]),
                )
                assert one["metadata"]["template"] == plan.model_dump(
                    mode="json", by_alias=True, include={"key", "when", "then"}
                )
                copy = installed(api, one["id"])
                assert (copy["name"], copy["type"], copy["provider"]) == (one["name"], one["type"], None)
                assert (copy["status"], copy["installedFrom"]) == ("ACTIVE", one["id"])
                assert copy["metadata"] == one["metadata"]


def test_only_what_is_listed_can_be_installed_and_only_its_workspace_edits_it(
    api: Api, backend: Backend
) -> None:
    private, pending, rejected, withdrawn = (make(api, isPublic=bool(number)) for number in range(4))
    decide(rejected, "REJECT")
    decide(withdrawn)
    changed(api, withdrawn, isPublic=False)
    gone = listed(api)
    assert api(f"DELETE {PATH}/{gone['id']}").status == 200
    for made in (private, pending, rejected, withdrawn, gone):
        details = set()
        for token in (theirs(), jwt_for("platform"), OWNER):
            answer = install(api, made, token)
            refused(answer, 404)
            details.add(answer.json()["detail"])
        details.add(install(api, IntegrationId.new()).json()["detail"])
        assert len(details) == 1, "as if it did not exist"
    public = listed(api)
    copy = installed(api, public)
    before = tables(backend)
    for token in (theirs(), jwt_for("platform")):
        for line, body in (
            (f"GET {PATH}/{public['id']}", None),
            (f"GET {PATH}/{public['id']}?reveal=true", None),
            (f"PUT {PATH}/{public['id']}", {"name": "x"}),
            (f"PUT {PATH}/{public['id']}/status", {"status": "INACTIVE"}),
            (f"GET {PATH}/{public['id']}/logs", None),
            (f"DELETE {PATH}/{public['id']}", None),
            (f"POST {PATH}/{public['id']}/oauth/initiate", {"redirectUri": REDIRECT_URI}),
            (f"GET {PATH}/{public['id']}/connections", None),
        ):
            refused(api(line, json=body, token=token), 404)
    for line in ("GET {}", "PUT {}", "DELETE {}", "GET {}/logs"):
        method, _, path = line.partition(" ")
        refused(api(f"{method} {PATH}/{path.format(copy['id'])}", json={"name": "x"}), 404)
    assert tables(backend) == before
    refused(install(api, public, jwt_for("globex", role="member")), 403, "integrations:write")


def test_one_installs_ones_own_and_a_repeated_install_makes_one_copy(api: Api) -> None:
    made = listed(api)
    once = {"Idempotency-Key": "k"}
    first = install(api, made, headers=once).json()
    changed(api, made, isPublic=False)
    assert install(api, made, headers=once).json() == first, "also when it is listed no more"
    refused(install(api, made, headers={"Idempotency-Key": "other"}), 404)
    assert len(items(api(f"GET {PATH}", token=theirs()))) == 1
    changed(api, made, isPublic=True)
    approve(api, made)
    assert installed(api, made, OWNER)["installedFrom"] == made["id"]


# ── what a publisher does to copies ──────────────────────────────────────────────────────────────────


def test_unpublishing_leaves_copies_working_and_says_how_many(api: Api) -> None:
    made = listed(api)
    copies = [installed(api, made), installed(api, made, jwt_for("initech"))]
    installed(api, IntegrationId.of_template("hubspot"))
    editor = jwt_for("acme", scope="integrations:read integrations:write")
    shown = changed(api, made, editor, isPublic=False)
    assert (shown["isPublic"], shown["reviewStatus"], shown["publisher"]) == (False, None, None)
    assert "2 installed copies go on working" in shown["statusReason"]
    assert market(api) == []
    for copy, workspace in zip(copies, ("globex", "initech"), strict=True):
        assert initiate(api, copy, jwt_for(workspace)).status == 200
    assert changed(api, made, isPublic=True)["reviewStatus"] == "PENDING"
    assert market(api) == []
    api(f"DELETE {PATH}/{copies[1]['id']}", token=jwt_for("initech"))
    kept_up()
    assert "1 installed copy goes on working" in changed(api, made, isPublic=False)["statusReason"]
    refused(api(f"DELETE {PATH}/{copies[1]['id']}", token=jwt_for("initech")), 404)


def moved(api: Api, made: Any) -> None:
    changed(api, made, config={"clientId": "publishers-client-2", "clientSecret": FRESH})


def other_provider(api: Api, made: Any) -> None:
    """Under the same client id; while it is public or after."""
    changed(api, made, provider="google", config={"clientSecret": FRESH})


def other_provider_later(api: Api, made: Any) -> None:
    changed(api, made, isPublic=False)
    own = {"authorizationUrl": "https://evil.example/a", "tokenUrl": "https://evil.example/t"}
    changed(api, made, provider=None, config={**own, "clientSecret": FRESH})


def without_client(api: Api, made: Any) -> None:
    changed(api, made, isPublic=False)
    changed(api, made, config={"clientSecret": None, "apiKey": None})
    changed(api, made, config={"clientId": None})


@pytest.mark.parametrize("change", [moved, other_provider, other_provider_later, without_client])
@pytest.mark.usefixtures("silent")
def test_copies_stop_when_their_publisher_changes_the_client(
    api: Api, backend: Backend, change: Callable[[Api, Any], None]
) -> None:
    made = listed(api)
    copy, late = installed(api, made), installed(api, made)
    plant("globex", copy)
    plant("globex", late)
    change(api, made)
    for line, body in (
        ("POST {}/oauth/initiate", {"redirectUri": REDIRECT_URI}),
        ("POST {}/oauth/refresh", {}),
        ("GET {}/connections/default/token", None),
        ("POST {}/oauth/initiate", {"redirectUri": REDIRECT_URI}),
    ):
        method, _, path = line.partition(" ")
        answer = api(f"{method} {PATH}/{path.format(copy['id'])}", json=body, token=theirs())
        stopped(answer, "publisher_client_changed")
    shown = get(api, copy, theirs())
    assert (shown["status"], shown["statusReason"]) == ("ERROR", "publisher_client_changed")
    moves = log(api, copy, theirs(), "?action=integration.status_changed")
    assert moves == [("integration.status_changed", "patchbay", "ERROR: publisher_client_changed")]
    activate = f"PUT {PATH}/{copy['id']}/status"
    stopped(api(activate, json={"status": "ACTIVE"}, token=theirs()), "publisher_client_changed")
    # The schedule sends nothing for them either, and what is taken back is not told to anybody.
    kept_up()
    assert get(api, late, theirs())["statusReason"] == "publisher_client_changed"
    assert api(f"DELETE {PATH}/{copy['id']}/connections/default", token=theirs()).status == 200
    assert len(backend.rows("ConnectionsTable")) == 1
    # The client that was reviewed is back: the installer may resume.
    if change is moved:
        changed(api, made, config={"clientId": "publishers-client-1", "clientSecret": SECRET})
        assert api(activate, json={"status": "ACTIVE"}, token=theirs()).json()["status"] == "ACTIVE"
        assert initiate(api, copy).status == 200
    install_anew = install(api, made)
    refused(install_anew, 404)


def test_a_copy_stays_at_the_provider_s_own_address_wherever_its_publisher_goes(api: Api) -> None:
    made = listed(api, provider="salesforce")
    copy = installed(api, made)
    changed(api, made, isPublic=False)
    changed(api, made, config={"domain": "evil.my", "clientSecret": FRESH})
    own = initiate(api, made, OWNER, "https://publisher.example/back").json()["authorizationUrl"]
    assert urlsplit(own).hostname == "evil.my.salesforce.com"
    assert urlsplit(initiate(api, copy).json()["authorizationUrl"]).hostname == "login.salesforce.com"
    kept = store.get("globex", IntegrationId(copy["id"]))
    assert kept is not None
    assert client_of(kept).variables["domain"] == "login"


@pytest.mark.usefixtures("silent")
def test_copies_stop_at_once_when_their_publisher_deletes(api: Api, backend: Backend) -> None:
    made = listed(api)
    used, unused, withdrawn = installed(api, made), installed(api, made), installed(api, made)
    for copy in (used, unused):
        plant("globex", copy)
    api(f"DELETE {PATH}/{withdrawn['id']}", token=theirs())
    assert api(f"DELETE {PATH}/{made['id']}").status == 200
    assert market(api) == []
    refused(install(api, made), 404)
    stopped(initiate(api, used), "publisher_removed")
    stopped(initiate(api, used), "publisher_removed")
    for line, body in (
        (f"POST {PATH}/{unused['id']}/oauth/refresh", {}),
        (f"GET {PATH}/{unused['id']}/connections/default/token", None),
    ):
        kept = backend.rows("ConnectionsTable")
        stopped(api(line, json=body, token=theirs()), "publisher_removed")
        assert backend.rows("ConnectionsTable") == kept
    assert get(api, used, theirs())["statusReason"] == "publisher_removed"
    assert log(api, used, theirs())[-1] == (
        "integration.status_changed",
        "patchbay",
        "ERROR: publisher_removed",
    )
    kept_up()
    for copy in (used, unused):
        shown = get(api, copy, theirs())
        assert (shown["status"], shown["statusReason"]) == ("ERROR", "publisher_removed")
        stopped(initiate(api, copy), "publisher_removed")
        assert len(log(api, copy, theirs(), "?action=integration.status_changed")) == 1, "said once"
        activate = f"PUT {PATH}/{copy['id']}/status"
        stopped(api(activate, json={"status": "ACTIVE"}, token=theirs()), "publisher_removed")
        assert api(f"DELETE {PATH}/{copy['id']}", token=theirs()).status == 200
    kept_up()
    assert {row["sk"] for row in backend.rows("IntegrationsTable")} == {"count"}
    assert backend.rows("ConnectionsTable") == []


def test_a_copy_that_is_made_while_its_publisher_deletes_never_works(api: Api) -> None:
    made = listed(api)

    def deleted() -> None:
        api(f"DELETE {PATH}/{made['id']}")
        kept_up()

    with meanwhile("dynamodb.TransactWriteItems", deleted):
        answer = install(api, made)
    if answer.status == 201:
        stopped(initiate(api, answer.json()), "publisher_removed")
        assert get(api, answer.json(), theirs())["status"] == "ERROR"
    else:
        refused(answer, 404)


def test_the_schedule_puts_copies_out_of_service_wherever_it_dies(api: Api, backend: Backend) -> None:
    call, died = 0, True
    while died:
        call += 1
        made = listed(api)
        copies = [installed(api, made), installed(api, made)]
        api(f"DELETE {PATH}/{copies[0]['id']}", token=theirs())
        api(f"DELETE {PATH}/{made['id']}")
        with dying(call) as process:
            kept_up()
        died = process.died
        kept_up()
        shown = get(api, copies[1], theirs())
        assert (shown["status"], shown["statusReason"]) == ("ERROR", "publisher_removed"), call
        moves = log(api, copies[1], theirs(), "?action=integration.status_changed")
        assert moves == [("integration.status_changed", "patchbay", "ERROR: publisher_removed")], call
        left = [row["sk"] for row in backend.rows("IntegrationsTable") if row["sk"] != "count"]
        assert sorted(left) == sorted([copies[1]["id"], f"globex#{copies[1]['id']}"]), f"died before {call}"
        api(f"DELETE {PATH}/{copies[1]['id']}", token=theirs())
        kept_up()
        assert {row["sk"] for row in backend.rows("IntegrationsTable")} == {"count"}, f"died before {call}"
    assert call > 8
