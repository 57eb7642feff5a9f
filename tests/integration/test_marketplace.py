"""The marketplace: a listing is the snapshot that the platform approved, whatever its publisher does. A copy
uses the publisher's client without showing it, and publishers cannot set their own name or verification.
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
from patchbay.integrations.client import client_for
from patchbay.oauth import connections, token_endpoint
from patchbay.oauth import store as connections_store
from patchbay.oauth.maintenance import RunSummary, run_due
from patchbay.oauth.token_response import TokenSet
from patchbay.oauth.tokens import with_tokens
from patchbay.providers import provider as providers
from patchbay.providers.provider import AuthType
from patchbay.settings import settings
from patchbay.storage import dynamo
from tests.conftest import LAMBDA_CONTEXT, OWNER, REDIRECT_URI, Answer, Api, Backend, jwt_for
from tests.faults import dying, killed, meanwhile, one_at_a_time
from tests.integration.integrations_api import PATH, items, pages, snapshot
from tests.problems import assert_problem

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


def created(api: Api, token: str = OWNER, **changes: Any) -> Any:
    answer = create(api, token, **changes)
    assert answer.status == 201, answer.text
    return answer.json()


def get(api: Api, integration: Any, token: str = OWNER, query: str = "") -> Any:
    answer = api(f"GET {PATH}/{integration['id']}{query}", token=token)
    assert answer.status == 200, answer.text
    return answer.json()


def put(api: Api, integration: Any, token: str = OWNER, **body: Any) -> Answer:
    return api(f"PUT {PATH}/{integration['id']}", json=body, token=token)


def updated(api: Api, integration: Any, token: str = OWNER, **body: Any) -> Any:
    answer = put(api, integration, token, **body)
    assert answer.status == 200, answer.text
    return answer.json()


def review(**event: Any) -> Any:
    """Invoke the function of the platform's operators."""
    return importlib.import_module("workers.review_publication").handler(event, LAMBDA_CONTEXT)


def decide(integration: Any, decision: str = "APPROVE", workspace: str = "acme", **more: Any) -> Any:
    return review(
        workspaceId=workspace,
        integrationId=integration["id"],
        decision=decision,
        **{"version": integration["version"], **more},
    )


def approve(api: Api, integration: Any, **more: Any) -> None:
    """Approve the current version."""
    decide(get(api, integration), **more)


def published(api: Api, **changes: Any) -> Any:
    """An integration that is listed in the marketplace."""
    source = created(api, isPublic=True, **changes)
    approve(api, source, publisherName="Acme Inc.", verified=True)
    return source


def install(api: Api, integration: Any, token: str | None = None, **more: Any) -> Answer:
    id = integration if isinstance(integration, str) else integration["id"]
    return api(f"POST {PATH}/{id}/install", token=token or installer_token(), **more)


def installed(api: Api, integration: Any, token: str | None = None) -> Any:
    answer = install(api, integration, token)
    assert answer.status == 201, answer.text
    return answer.json()


def initiate(api: Api, integration: Any, token: str | None = None, uri: str = REDIRECT_URI) -> Answer:
    line = f"POST {PATH}/{integration['id']}/oauth/initiate"
    return api(line, json={"redirectUri": uri}, token=token or installer_token())


def installer_token() -> str:
    """A token of the owner of the workspace that installs."""
    return jwt_for("globex")


def market(api: Api, query: str = "limit=100") -> list[Any]:
    """The listings of all workspaces, without the built-in templates."""
    found = items(api(f"GET {MARKET}?{query}", token=installer_token()))
    return [one for one in found if one["publisher"]["workspaceId"] != "platform"]


def log(api: Api, integration: Any, token: str = OWNER, query: str = "") -> list[tuple[str, str, str]]:
    found = items(api(f"GET {PATH}/{integration['id']}/logs{query}", token=token))[::-1]
    return [(entry["action"], entry["actor"], entry["detail"]) for entry in found]


def assert_stopped(answer: Answer, reason: str) -> None:
    assert_problem(answer, 409, "integration_inactive", reason)


@pytest.fixture(autouse=True)
def _one_call_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The maintenance handles several connections concurrently."""
    one_at_a_time(monkeypatch)


def run_maintenance() -> RunSummary:
    return run_due(lambda: 900_000)


def add_connection(workspace: str, integration: Any) -> None:
    """Store a connection with a token that just expired, as the flow would, without calling the provider."""
    stored = store.get(workspace, IntegrationId(integration["id"]))
    provider = providers.load("hubspot")
    assert stored is not None
    assert provider is not None
    assert provider.oauth is not None
    who = Principal(workspace, "user:someone")
    bare = connections.new_connection(who, stored, "default", AuthType.OAUTH2, None)
    tokens = TokenSet(access_token=ACCESS, refresh_token=REFRESH, expires_in=300)
    new = with_tokens(bare, provider.oauth, tokens, vault.encryptor(workspace), now_ms() - 300_000)
    connections_store.connect(new, None, [])


@pytest.fixture
def no_provider_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if anything is sent to a provider."""

    def sent(*_: Any, **__: Any) -> None:
        raise AssertionError("something was sent to a provider")

    monkeypatch.setattr(token_endpoint, "_run", sent)


# ── publishing ───────────────────────────────────────────────────────────────────────────────────────

NOT_PUBLISHABLE: list[tuple[dict[str, Any], str]] = [
    ({"provider": None}, "built-in OAuth providers, "),
    ({"provider": "nobody-knows"}, "built-in OAuth providers, "),
    ({"provider": "activecampaign"}, "built-in OAuth providers, "),
    ({"config": {}}, "its own OAuth client"),
    ({"config": {"clientId": "c"}}, "its own OAuth client"),
    ({"config": {"clientSecret": SECRET}}, "its own OAuth client"),
    (
        {"provider": "salesforce", "config": {"clientId": "c", "clientSecret": SECRET, "domain": "test"}},
        "remove domain from config",
    ),
]


def test_publish_requires_built_in_provider_and_own_client(api: Api, backend: Backend) -> None:
    without_publish = jwt_for("acme", scope="integrations:read integrations:write credentials:write")
    assert_problem(create(api, without_publish, isPublic=True), 403, "forbidden", "integrations:publish")
    own = {"authorizationUrl": "https://a.example/a", "tokenUrl": "https://a.example/t"}
    for body, words in [
        *NOT_PUBLISHABLE,
        ({"provider": None, "config": {**OFFER["config"], **own}}, "built-in OAuth"),
    ]:
        assert_problem(create(api, isPublic=True, **body), 422, "validation_failed", "isPublic", words)
        source = created(api, **body)
        assert_problem(put(api, source, isPublic=True), 422, "validation_failed", words)
        # A status that a caller sets does not make the integration publishable.
        for status in ("INACTIVE", "ERROR"):
            api(f"PUT {PATH}/{source['id']}/status", json={"status": status})
            assert_problem(put(api, source, isPublic=True), 422, "validation_failed", words)
        assert_problem(
            put(api, source, without_publish, isPublic=True), 403, "forbidden", "integrations:publish"
        )
        source = get(api, source)
        assert (source["isPublic"], source["reviewStatus"], source["publisher"]) == (False, None, None)
    assert review() == {"waiting": []}
    assert market(api) == []
    assert not any(row["workspaceId"].startswith("#") for row in backend.rows("IntegrationsTable"))
    public = created(api, isPublic=True)
    assert_problem(
        put(api, public, config={"clientSecret": None}), 422, "validation_failed", "its own OAuth client"
    )
    own_nulls: dict[str, Any] = {"provider": None, "config": {"clientSecret": FRESH}}
    assert_problem(put(api, public, **own_nulls), 422, "validation_failed", "built-in OAuth")


def test_integration_is_listed_only_after_approval_of_its_version(api: Api, backend: Backend) -> None:
    source = created(api, isPublic=True)
    assert (source["reviewStatus"], source["isPublic"]) == ("PENDING", True)
    assert source["publisher"] == {"workspaceId": "acme", "name": None, "verified": False}

    def unlisted() -> None:
        assert market(api) == []
        for token in (installer_token(), OWNER, jwt_for("platform")):
            assert_problem(install(api, source, token), 404)
        assert items(api(f"GET {PATH}?includePublic=true", token=installer_token())) == []

    unlisted()
    (waiting,) = review()["waiting"]
    assert waiting == {
        "workspaceId": "acme", "integrationId": source["id"], "since": waiting["since"], "version": 1,
        "name": OFFER["name"], "description": OFFER["description"], "provider": "hubspot",
        "scopes": OFFER["scopes"], "logoUrl": OFFER["logoUrl"], "clientId": "publishers-client-1",
    }  # fmt: skip
    # Any change by the publisher after the review makes the decision fail.
    for change in (
        {"description": "Send us your passwords."},
        {"metadata": {"a": 1}},
        {"rateLimitPerHour": 9},
    ):
        updated(api, source, **change)
        with pytest.raises(Conflict, match="review the pending version"):
            decide(source)
        source = get(api, source)
        unlisted()
    api(f"PUT {PATH}/{source['id']}/status", json={"status": "INACTIVE"})
    with pytest.raises(Conflict):
        decide(source)
    source = get(api, source)
    with (
        pytest.raises(Conflict, match="just changed"),
        meanwhile("dynamodb.TransactWriteItems", lambda: updated(api, source, name="Bank of Acme")),
    ):
        decide(source)
    source = get(api, source)
    unlisted()
    before = snapshot(backend)
    for version in (None, source["version"] + 1, source["version"] - 1, 0):
        with pytest.raises(Conflict):
            decide(source, version=version)
    for workspace in ("globex", "platform"):
        with pytest.raises(NotFound):
            decide(source, workspace=workspace)
    event: dict[str, Any] = {
        "integrationId": source["id"],
        "workspaceId": "acme",
        "version": source["version"],
    }
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
    assert snapshot(backend) == before
    decide(source, publisherName="Acme Inc.")
    assert [one["name"] for one in market(api)] == ["Bank of Acme"]
    assert review() == {"waiting": []}
    for decision in ("APPROVE", "REJECT"):
        with pytest.raises(Conflict, match="APPROVED"):
            decide(get(api, source), decision)
    with pytest.raises(NotFound):
        decide(created(api))


def test_review_listing_and_log_entry_are_atomic(api: Api, backend: Backend) -> None:
    for decision, action in (("APPROVE", "publication.approved"), ("REJECT", "publication.rejected")):
        source = created(api, isPublic=True)
        before = snapshot(backend)
        with killed("dynamodb.TransactWriteItems"):
            decide(source, decision, reviewReason="so be it")
        assert snapshot(backend) == before
        with killed("dynamodb.TransactWriteItems", after=True):
            decide(source, decision, reviewReason="so be it")
        assert log(api, source)[1:] == [(action, "platform", "so be it")]
        assert get(api, source)["reviewReason"] == "so be it"
        assert len(market(api)) == 1
        assert review() == {"waiting": []}


def test_publication_decision_keeps_owners_reason(api: Api) -> None:
    source = created(api, isPublic=True)

    def reasons() -> tuple[Any, ...]:
        shown = get(api, source)
        return shown["statusReason"], shown["reviewStatus"], shown["reviewReason"]

    api(f"PUT {PATH}/{source['id']}/status", json={"status": "INACTIVE", "statusReason": "on holiday"})
    decide(get(api, source), "REJECT", reviewReason="The name is not yours.")
    assert reasons() == ("on holiday", "REJECTED", "The name is not yours.")
    updated(api, source, name="Ours")
    assert reasons() == ("on holiday", "PENDING", None)
    decide(get(api, source), "APPROVE")
    assert reasons() == ("on holiday", "APPROVED", None)
    updated(api, source, isPublic=False)
    assert reasons() == ("on holiday", None, "unpublished: 0 installed copies continue to work")
    updated(api, source, isPublic=True)
    decide(get(api, source), "APPROVE", reviewReason="Welcome back.")
    assert reasons() == ("on holiday", "APPROVED", "Welcome back.")
    (listed,) = (one for one in items(api(f"GET {MARKET}?limit=100")) if one["id"] == source["id"])
    assert (listed["statusReason"], listed["reviewReason"], listed["createdBy"]) == (None, None, None)
    decide(get(api, source), "WITHDRAW", reviewReason="It is a thief's.")
    assert reasons() == ("on holiday", "REJECTED", "It is a thief's.")
    api(f"PUT {PATH}/{source['id']}/status", json={"status": "ACTIVE"})
    assert reasons() == (None, "REJECTED", "It is a thief's.")


def test_platform_integration_is_approved_immediately(api: Api) -> None:
    platform = jwt_for("platform")
    source = created(api, platform, isPublic=True)
    assert source["reviewStatus"] == "APPROVED"
    assert source["publisher"] == {"workspaceId": "platform", "name": "platform", "verified": True}
    new = updated(api, source, platform, name="Ours")
    (found,) = (one for one in items(api(f"GET {MARKET}?limit=100")) if one["id"] == source["id"])
    assert (found["name"], found["version"], new["reviewStatus"]) == ("Ours", new["version"], "APPROVED")
    assert installed(api, source)["publisher"] == new["publisher"]
    updated(api, source, platform, isPublic=False)
    assert_problem(install(api, source), 404)
    # A workspace with a similar name is not the platform.
    for name in ("Platform", "platform-", "platform_"):
        assert created(api, jwt_for(name), isPublic=True)["reviewStatus"] == "PENDING"


def test_listing_is_read_by_id_like_in_the_list(api: Api) -> None:
    source, waiting, private = published(api), created(api, isPublic=True), created(api)
    installed(api, source)
    everything = pages(api, f"GET {MARKET}", 100, installer_token())
    for listed in everything:
        answer = api(f"GET {MARKET}/{listed['id']}", token=installer_token())
        assert (answer.status, answer.json()) == (200, listed)
    assert everything[0]["id"] == source["id"]
    missing = (waiting["id"], private["id"], IntegrationId.new(), IntegrationId.for_template("nobody"))
    for id in missing:
        assert_problem(
            api(f"GET {MARKET}/{id}"), 404, None, "The marketplace has no integration with this ID"
        )
    updated(api, source, isPublic=False)
    assert_problem(api(f"GET {MARKET}/{source['id']}"), 404)
    reader = jwt_for("acme", scope="connections:read")
    assert_problem(api(f"GET {MARKET}/{source['id']}", token=reader), 403)


def test_marketplace_is_filtered_by_provider(api: Api) -> None:
    source = published(api)
    found = pages(api, f"GET {MARKET}?provider=hubspot", 1)
    assert [one["id"] for one in found] == [source["id"], IntegrationId.for_template("hubspot")]
    assert [one["name"] for one in items(api(f"GET {MARKET}?provider=zoho"))] == ["Zoho"]
    assert items(api(f"GET {MARKET}?provider=zoho&type=SOCIAL")) == []
    assert items(api(f"GET {PATH}?provider=hubspot&includePublic=true", token=installer_token())) == found[:1]
    answer = api(f"GET {MARKET}?provider=hubsopt")
    assert_problem(answer, 422, None, "did you mean `hubspot`?", paths=["provider"])
    assert_problem(api(f"GET {MARKET}?provider=own"), 422, None, "one of activecampaign, adobe")


# ── listings ─────────────────────────────────────────────────────────────────────────────────────────


def test_listing_is_approved_snapshot_without_config_and_metadata(api: Api, backend: Backend) -> None:
    source = published(api)
    (found,) = market(api)
    assert found == {
        "id": source["id"],
        **{name: OFFER[name] for name in ("name", "type", "provider", "description", "logoUrl", "scopes")},
        "status": "ACTIVE",
        "statusReason": None,
        "config": {},
        "rateLimitPerHour": 100,
        "rateLimitPerDay": 1000,
        "isPublic": True,
        "reviewStatus": "APPROVED",
        "reviewReason": None,
        "withdrawn": False,
        "publisher": {"workspaceId": "acme", "name": "Acme Inc.", "verified": True},
        "installedFrom": None,
        "metadata": {},
        "connectionCount": 0,
        "createdBy": None,
        "createdAt": source["createdAt"],
        "updatedAt": found["updatedAt"],
        "version": 2,
    }
    add_connection("acme", source)
    for line in (
        f"GET {MARKET}?limit=100",
        f"GET {PATH}?includePublic=true",
        f"GET {MARKET}?search=newsrooms",
    ):
        text = api(line, token=installer_token()).text
        assert source["id"] in text
        for hidden in (SECRET, PRIVATE, MASK, "publishers-client-1", "publisher.example", "user:someone"):
            assert hidden not in text
        assert all(one["connectionCount"] == 0 for one in json.loads(text)["items"])
    (stored,) = (row for row in backend.rows("IntegrationsTable") if row["workspaceId"] == "#marketplace")
    for hidden in (SECRET, PRIVATE, "publisher.example"):
        assert hidden not in repr(stored)


# Changes of reviewed fields, and whether the listing stays until the next review.
REVIEWED_CHANGES: list[tuple[dict[str, Any], bool]] = [
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


def test_change_of_reviewed_field_needs_new_approval(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    editor = jwt_for("acme", scope="integrations:write integrations:read credentials:write")
    for body, stays in REVIEWED_CHANGES:
        with subtests.test(str(body)):
            source = published(api)
            (before,) = (one for one in market(api) if one["id"] == source["id"])
            assert_problem(put(api, source, editor, **body), 403, "forbidden", "integrations:publish")
            assert updated(api, source, **body)["reviewStatus"] == "PENDING"
            assert [one for one in market(api) if one["id"] == source["id"]] == ([before] if stays else [])
            assert install(api, source).status == (201 if stays else 404)
            if stays:
                copy = installed(api, source)
                assert all(copy[name] == OFFER[name] for name in body if name != "config")
            decide(get(api, source), "REJECT", reviewReason="no")
            shown = get(api, source)
            assert (shown["reviewStatus"], shown["reviewReason"]) == ("REJECTED", "no")
            assert shown["publisher"] == {"workspaceId": "acme", "name": "Acme Inc.", "verified": True}
            assert [one for one in market(api) if one["id"] == source["id"]] == ([before] if stays else [])
            updated(api, source, name="Better now")
            approve(api, source, publisherName="Acme Corp.")
            (after,) = (one for one in market(api) if one["id"] == source["id"])
            assert after["name"] == "Better now"
            assert after["publisher"] == {"workspaceId": "acme", "name": "Acme Corp.", "verified": False}
            assert all(after[name] == body[name] for name in body if name not in ("name", "config"))
            updated(api, source, isPublic=False)
    assert market(api) == []


def test_change_of_unreviewed_field_keeps_listing(api: Api) -> None:
    source = published(api)
    before = market(api)
    editor = jwt_for("acme", scope="integrations:write integrations:read")
    for body in (
        {"metadata": {"note": "more"}},
        {"rateLimitPerHour": 7, "rateLimitPerDay": 8},
        {"config": {"clientSecret": FRESH, "another": PRIVATE}},
        {"isPublic": True},
    ):
        assert updated(api, source, editor, **body)["reviewStatus"] == "APPROVED"
    api(f"PUT {PATH}/{source['id']}/status", json={"status": "INACTIVE", "statusReason": PRIVATE})
    assert market(api) == before
    assert review() == {"waiting": []}


def test_publisher_cannot_set_its_name_or_verification(api: Api) -> None:
    for body in (
        {"publisher": {"workspaceId": "platform", "name": "Patchbay", "verified": True}},
        {"publisherName": "Patchbay"},
        {"publisherVerified": True},
        {"reviewStatus": "APPROVED"},
        {"sourceWorkspaceId": "platform"},
        {"workspaceId": "platform"},
    ):
        assert create(api, isPublic=True, **body).status == 422
    source = created(api, isPublic=True, metadata={"publisher": {"verified": True}})
    decide(source)
    (found,) = market(api)
    assert found["publisher"] == {"workspaceId": "acme", "name": None, "verified": False}
    copy = installed(api, source)
    updated(api, source, description="new")
    approve(api, source, publisherName="Acme Inc.", verified=True)
    assert get(api, copy, installer_token())["publisher"] == found["publisher"], (
        "a copy keeps the publisher of its snapshot"
    )
    # Publishing again under an approved name does not inherit the approval.
    updated(api, source, isPublic=False)
    updated(api, source, isPublic=True, name="Patchbay")
    assert market(api) == []
    decide(get(api, source), publisherName="Acme again")
    assert market(api)[0]["publisher"] == {"workspaceId": "acme", "name": "Acme again", "verified": False}


def test_withdrawal_unlists_and_stops_copies(api: Api, backend: Backend) -> None:
    source, bystander = published(api), published(api, name="Another")
    copy, other, late = installed(api, source), installed(api, bystander), installed(api, source)
    put(api, source, description="changed since")  # any version can be withdrawn
    decide(source, "WITHDRAW", reviewReason="It is a thief's.")
    assert [one["id"] for one in market(api)] == [bystander["id"]]
    assert_problem(install(api, source), 404)
    assert_stopped(initiate(api, copy), "withdrawn_by_platform")
    assert run_maintenance().tasks == 1
    for one in (copy, late):
        shown = get(api, one, token=installer_token())
        assert (shown["status"], shown["statusReason"]) == ("ERROR", "withdrawn_by_platform")
    assert initiate(api, other).status == 200
    shown = get(api, source)
    assert (shown["reviewStatus"], shown["reviewReason"]) == ("REJECTED", "It is a thief's.")
    assert log(api, source)[-1][:2] == ("publication.withdrawn", "platform")
    # The publisher cannot restore the listing; a new approval can.
    put(api, source, isPublic=False)
    put(api, source, isPublic=True)
    assert market(api)[-1]["id"] == bystander["id"]
    activate = {"status": "ACTIVE"}
    assert_stopped(
        api(f"PUT {PATH}/{copy['id']}/status", json=activate, token=installer_token()),
        "withdrawn_by_platform",
    )
    approve(api, source)
    assert api(f"PUT {PATH}/{copy['id']}/status", json=activate, token=installer_token()).status == 200
    assert initiate(api, copy).status == 200


# ── browsing ─────────────────────────────────────────────────────────────────────────────────────────


def test_browse_lists_public_integrations_then_templates(api: Api) -> None:
    source = [
        published(api, name="Zebra CRM", description="stripes"),
        published(api, name="Reader Größe", description="About ZEBRAS", type="SOCIAL"),
        published(api, name="Third", type="CUSTOM"),
    ]
    whole = pages(api, f"GET {MARKET}", 100)
    assert [one["id"] for one in whole[:3]] == [one["id"] for one in source[::-1]]
    templates = whole[3 : 3 + len(list(providers.names()))]
    assert [one["provider"] for one in templates] == list(providers.names())
    for template in templates:
        assert template["id"] == IntegrationId.for_template(template["provider"])
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
        assert_problem(api(f"GET {MARKET}?{query}"), 422)
    assert items(api(f"GET {MARKET}?cursor=1.99999999")) == []


def test_include_public_lists_own_integrations_first(api: Api) -> None:
    public = [published(api, name="a"), published(api, name="b", type="SOCIAL", provider="google")]
    own = [
        created(api, installer_token(), name="c"),
        created(api, installer_token(), name="d", isPublic=True),
    ]
    decide(own[1], workspace="globex")
    wanted = [one["id"] for one in [*own[::-1], *public[::-1]]]
    for limit in (1, 2, 3, 100):
        assert [
            one["id"] for one in pages(api, f"GET {PATH}?includePublic=true", limit, installer_token())
        ] == wanted

    def found(query: str) -> list[str]:
        line = f"GET {PATH}?includePublic=true&{query}"
        return [one["name"] for one in pages(api, line, 1, installer_token())]

    assert found("type=SOCIAL") == ["b"]
    assert found("provider=hubspot") == ["d", "c", "a"]
    assert found("provider=google&type=CRM") == []
    assert found("status=ACTIVE") == ["d", "c", "b", "a"]
    assert found("status=INACTIVE") == []
    assert [one["name"] for one in pages(api, f"GET {PATH}", 1, installer_token())] == ["d", "c"]
    shown = pages(api, f"GET {PATH}?includePublic=true", 100, installer_token())
    assert [one["config"] for one in shown[2:]] == [{}, {}]


# ── copies ───────────────────────────────────────────────────────────────────────────────────────────


def test_copy_uses_publisher_client_without_showing_it(api: Api, backend: Backend) -> None:
    source = published(api)
    copy = installed(api, source)
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
        "reviewReason": None,
        "withdrawn": False,
        "publisher": {"workspaceId": "acme", "name": "Acme Inc.", "verified": True},
        "installedFrom": source["id"],
        "metadata": {},
        "connectionCount": 0,
        "createdBy": "user:someone",
        "createdAt": copy["createdAt"],
        "updatedAt": copy["createdAt"],
        "version": 1,
    }
    assert copy["id"] != source["id"]
    assert get(api, copy, installer_token()) == copy
    assert get(api, copy, installer_token(), "?reveal=true")["config"] == {}
    query = parse_qs(urlsplit(initiate(api, copy).json()["authorizationUrl"]).query)
    assert query["client_id"] == ["publishers-client-1"]
    assert query["redirect_uri"] == [REDIRECT_URI]
    for uri in OFFER["config"]["redirectUris"]:
        assert_problem(initiate(api, copy, uri=uri), 422, "validation_failed", "AllowedRedirectUris")
        assert initiate(api, source, OWNER, uri).status == 200
    stored = store.get("globex", IntegrationId(copy["id"]))
    assert stored is not None
    serving = client_for(stored)
    assert (serving.client_id, serving.client_secret) == ("publishers-client-1", SECRET)
    assert SECRET not in repr(serving) + repr(stored)
    everything = "".join(text for rows in snapshot(backend).values() for text in rows)
    assert SECRET not in everything
    log_text = api(f"GET {PATH}/{copy['id']}/logs", token=installer_token()).text
    for text in (log_text, api(f"GET {PATH}", token=installer_token()).text):
        for hidden in (SECRET, PRIVATE, "publisher.example"):
            assert hidden not in text
    assert ("integration.installed", "user:someone", f"a copy of {source['id']}") in log(
        api, copy, installer_token()
    )


def test_copy_rejects_config_provider_and_publication(api: Api, backend: Backend) -> None:
    copy = installed(api, published(api))
    before = snapshot(backend)
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
        answer = put(api, copy, installer_token(), **body)
        assert_problem(answer, 422)
        assert answer.json()["errors"][0]["path"] == path
    assert snapshot(backend) == before
    # Fields can be sent back as they were read. The other fields belong to the installer.
    names = ("name", "type", "provider", "description", "logoUrl", "config", "scopes", "metadata", "isPublic")
    assert updated(api, copy, installer_token(), **{name: copy[name] for name in names}) == copy
    new = updated(api, copy, installer_token(), name="Ours", metadata={"a": 1}, rateLimitPerHour=5)
    assert (new["name"], new["metadata"], new["rateLimitPerHour"], new["status"]) == (
        "Ours",
        {"a": 1},
        5,
        "ACTIVE",
    )


def requested_scopes(api: Api, copy: Any, **body: Any) -> list[str]:
    """The scopes that the user would be asked for."""
    answer = connect(api, copy, **body)
    assert answer.status == 200, answer.text
    query = parse_qs(urlsplit(answer.json()["authorizationUrl"]).query)
    return query.get("scope", [""])[0].split()


def connect(api: Api, copy: Any, **body: Any) -> Answer:
    line = f"POST {PATH}/{copy['id']}/oauth/initiate"
    return api(line, json={"redirectUri": REDIRECT_URI, **body}, token=installer_token())


BEYOND_APPROVED: list[tuple[dict[str, Any], str, str]] = [
    ({"scopes": ["oauth", "crm.objects.contacts.write"]}, "scopes", "oauth, crm.objects.contacts.read"),
    ({"scopes": [*OFFER["scopes"], "files"]}, "scopes", "files"),
    ({"rateLimitPerHour": 101}, "rateLimitPerHour", "at most 100"),
    ({"rateLimitPerHour": 1_000_000}, "rateLimitPerHour", "at most 100"),
    ({"rateLimitPerHour": None}, "rateLimitPerHour", "at most 100"),
    ({"rateLimitPerDay": 1_001}, "rateLimitPerDay", "at most 1000"),
    ({"rateLimitPerDay": None, "name": "x"}, "rateLimitPerDay", "at most 1000"),
]


@pytest.mark.parametrize("older", [False, True], ids=["", "from before copies stored limits"])
def test_copy_stays_within_approved_scopes_and_limits(api: Api, backend: Backend, older: bool) -> None:
    source = published(api)
    copy = installed(api, source)
    if older:
        remove_approved_limits(copy)
    # Later changes by the publisher do not extend what the copy may use.
    updated(api, source, scopes=["oauth", "files"], rateLimitPerHour=500)
    before = snapshot(backend)
    for body, path, words in BEYOND_APPROVED:
        answer = put(api, copy, installer_token(), **body)
        assert_problem(answer, 422, "validation_failed", words)
        assert [error["path"] for error in answer.json()["errors"]] == [path], body
    for asked in (["files"], ["oauth", "files"], []):
        assert_problem(connect(api, copy, scopes=asked), 422, "validation_failed", "scopes")
    assert snapshot(backend) == before
    assert requested_scopes(api, copy) == OFFER["scopes"]

    narrow = updated(api, copy, installer_token(), scopes=["oauth"], rateLimitPerHour=5, rateLimitPerDay=6)
    assert (narrow["scopes"], narrow["rateLimitPerHour"]) == (["oauth"], 5)
    assert requested_scopes(api, copy, connectionId="default") == ["oauth"]
    # The copy can widen its limits again. An empty list means the approved scopes.
    assert updated(api, copy, installer_token(), scopes=[], rateLimitPerHour=100)["scopes"] == []
    assert requested_scopes(api, copy, connectionId="default") == OFFER["scopes"]
    assert_problem(connect(api, copy, scopes=["files"]), 422, "validation_failed", "files")
    assert updated(api, copy, installer_token(), scopes=OFFER["scopes"])["scopes"] == OFFER["scopes"]


def remove_approved_limits(copy: Any) -> None:
    names = "approvedScopes, approvedPerHour, approvedPerDay"
    place = store.key("globex", IntegrationId(copy["id"]))
    dynamo.update(settings().integrations_table, place, f"REMOVE {names}")


def test_snapshot_without_scopes_or_limits_uses_default_scopes(
    api: Api,
) -> None:
    copy = installed(api, published(api, scopes=[], rateLimitPerHour=None, rateLimitPerDay=None))
    provider = providers.load("hubspot")
    assert provider is not None
    assert provider.oauth is not None
    default = list(provider.oauth.default_scopes)
    assert requested_scopes(api, copy) == default
    assert_problem(connect(api, copy, scopes=["files"]), 422, "validation_failed", "files")
    assert_problem(put(api, copy, installer_token(), scopes=["files"]), 422, "validation_failed", "files")
    assert updated(api, copy, installer_token(), rateLimitPerHour=1_000_000)["rateLimitPerHour"] == 1_000_000


def test_copies_of_a_workspace_share_publisher_limit_with_deleted_ones(api: Api) -> None:
    source = published(api, rateLimitPerHour=6)
    one, other, low = (installed(api, source) for _ in range(3))
    updated(api, low, installer_token(), rateLimitPerHour=1)
    assert [initiate(api, copy).status for copy in (one, other, low, low, one)] == [200, 200, 200, 429, 200]
    assert api(f"DELETE {PATH}/{one['id']}", token=installer_token()).status == 200
    again = installed(api, source)
    assert [initiate(api, again).status for _ in range(3)] == [200, 200, 429]
    answer = initiate(api, other)
    assert (answer.status, answer.json()["code"]) == (429, "rate_limited")
    assert "copies of the integration have reached the limit of 6 uses" in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) > 0
    # The publisher's own uses and those of other workspaces are counted separately.
    assert initiate(api, source, OWNER, OFFER["config"]["redirectUris"][0]).status == 200
    third = jwt_for("initech")
    assert initiate(api, installed(api, source, third), third).status == 200


def test_template_copy_is_set_up_by_its_installer(api: Api, subtests: pytest.Subtests) -> None:
    for name in providers.names():
        provider = providers.load(name)
        assert provider is not None
        with subtests.test(name):
            copy = installed(api, IntegrationId.for_template(name))
            assert (copy["name"], copy["provider"], copy["type"]) == (provider.label, name, provider.type)
            assert (copy["installedFrom"], copy["publisher"]) == (IntegrationId.for_template(name), None)
            assert copy["status"] == ("ACTIVE" if provider.oauth is None else "PENDING_SETUP")
    hubspot = installed(api, IntegrationId.for_template("hubspot"))
    config = {"clientId": "mine", "clientSecret": "my-secret", "redirectUris": ["https://mine.example/back"]}
    assert updated(api, hubspot, installer_token(), config=config)["status"] == "ACTIVE"
    url = initiate(api, hubspot, uri="https://mine.example/back").json()["authorizationUrl"]
    assert parse_qs(urlsplit(url).query)["client_id"] == ["mine"]
    for id in (
        IntegrationId.for_template("nobody"),
        IntegrationId.for_template("../hubspot"),
        IntegrationId.new(),
    ):
        assert_problem(install(api, id), 404)
    assert_problem(api(f"GET {PATH}/{IntegrationId.for_template('hubspot')}"), 404)


def test_automation_templates_contain_plans(api: Api, subtests: pytest.Subtests) -> None:
    """Each platform has templates in both directions, and an installed template contains its plan."""
    plans = {template.key: template for template in all_templates()}
    for platform in ("zapier", "make", "n8n"):
        published = items(api(f"GET {MARKET}?type={platform.upper()}&limit=100"))
        with subtests.test(platform):
            assert len(published) >= 3
            assert {one["type"] for one in published} == {platform.upper()}
            whens = [one["metadata"]["template"]["when"] for one in published]
            assert {"event" in when for when in whens} == {True, False}
        for one in published:
            with subtests.test(one["name"]):
                plan = plans[one["metadata"]["template"]["key"]]
                assert (plan.platform, plan.name, plan.description) == (
                    *(platform, one["name"], one["description"]),
                )
                assert one["metadata"]["template"] == plan.model_dump(
                    mode="json",
                    by_alias=True,
                    include={"key", "when", "then", *(["flow"] if plan.flow else [])},
                )
                copy = installed(api, one["id"])
                assert (copy["name"], copy["type"], copy["provider"]) == (one["name"], one["type"], None)
                assert (copy["status"], copy["installedFrom"]) == ("ACTIVE", one["id"])
                assert copy["metadata"] == one["metadata"]


def test_only_listed_integrations_can_be_installed_and_only_owners_edit(api: Api, backend: Backend) -> None:
    private, pending, rejected, withdrawn = (created(api, isPublic=bool(number)) for number in range(4))
    decide(rejected, "REJECT")
    decide(withdrawn)
    updated(api, withdrawn, isPublic=False)
    gone = published(api)
    assert api(f"DELETE {PATH}/{gone['id']}").status == 200
    for source in (private, pending, rejected, withdrawn, gone):
        details = set()
        for token in (installer_token(), jwt_for("platform"), OWNER):
            answer = install(api, source, token)
            assert_problem(answer, 404)
            details.add(answer.json()["detail"])
        details.add(install(api, IntegrationId.new()).json()["detail"])
        assert len(details) == 1, "the same as for an unknown id"
    public = published(api)
    copy = installed(api, public)
    before = snapshot(backend)
    for token in (installer_token(), jwt_for("platform")):
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
            assert_problem(api(line, json=body, token=token), 404)
    for line in ("GET {}", "PUT {}", "DELETE {}", "GET {}/logs"):
        method, _, path = line.partition(" ")
        assert_problem(
            api(
                f"{method} {PATH}/{path.format(copy['id'])}", json={"name": "x"} if method == "PUT" else None
            ),
            404,
        )
    assert snapshot(backend) == before
    assert_problem(
        install(api, public, jwt_for("globex", role="member")), 403, "forbidden", "integrations:write"
    )


def test_repeated_install_creates_one_copy(api: Api) -> None:
    source = published(api)
    once = {"Idempotency-Key": "k"}
    first = install(api, source, headers=once).json()
    updated(api, source, isPublic=False)
    assert install(api, source, headers=once).json() == first, "also when it is no longer listed"
    assert_problem(install(api, source, headers={"Idempotency-Key": "other"}), 404)
    assert len(items(api(f"GET {PATH}", token=installer_token()))) == 1
    updated(api, source, isPublic=True)
    approve(api, source)
    assert installed(api, source, OWNER)["installedFrom"] == source["id"]


# ── effects of the publisher on copies ───────────────────────────────────────────────────────────────


def test_unpublish_keeps_copies_working_and_reports_their_number(api: Api) -> None:
    source = published(api)
    copies = [installed(api, source), installed(api, source, jwt_for("initech"))]
    installed(api, IntegrationId.for_template("hubspot"))
    editor = jwt_for("acme", scope="integrations:read integrations:write")
    shown = updated(api, source, editor, isPublic=False)
    assert (shown["isPublic"], shown["reviewStatus"], shown["publisher"]) == (False, None, None)
    assert shown["reviewReason"] == "unpublished: 2 installed copies continue to work"
    assert market(api) == []
    for copy, workspace in zip(copies, ("globex", "initech"), strict=True):
        assert initiate(api, copy, jwt_for(workspace)).status == 200
    assert updated(api, source, isPublic=True)["reviewStatus"] == "PENDING"
    assert market(api) == []
    api(f"DELETE {PATH}/{copies[1]['id']}", token=jwt_for("initech"))
    run_maintenance()
    shown = updated(api, source, isPublic=False)
    assert shown["reviewReason"] == "unpublished: 1 installed copy continues to work"
    assert_problem(api(f"DELETE {PATH}/{copies[1]['id']}", token=jwt_for("initech")), 404)


def change_client(api: Api, source: Any) -> None:
    updated(api, source, config={"clientId": "publishers-client-2", "clientSecret": FRESH})


def change_provider(api: Api, source: Any) -> None:
    """Change the provider, but keep the client ID."""
    updated(api, source, provider="google", config={"clientSecret": FRESH})


def unpublish_and_change_provider(api: Api, source: Any) -> None:
    updated(api, source, isPublic=False)
    own = {"authorizationUrl": "https://evil.example/a", "tokenUrl": "https://evil.example/t"}
    updated(api, source, provider=None, config={**own, "clientSecret": FRESH})


def unpublish_and_remove_client(api: Api, source: Any) -> None:
    updated(api, source, isPublic=False)
    updated(api, source, config={"clientSecret": None, "apiKey": None})
    updated(api, source, config={"clientId": None})


@pytest.mark.parametrize(
    "change", [change_client, change_provider, unpublish_and_change_provider, unpublish_and_remove_client]
)
@pytest.mark.usefixtures("no_provider_calls")
def test_copies_stop_when_publisher_changes_client(
    api: Api, backend: Backend, change: Callable[[Api, Any], None]
) -> None:
    source = published(api)
    copy, late = installed(api, source), installed(api, source)
    add_connection("globex", copy)
    add_connection("globex", late)
    change(api, source)
    for line, body in (
        ("POST {}/oauth/initiate", {"redirectUri": REDIRECT_URI}),
        ("POST {}/oauth/refresh", {}),
        ("GET {}/connections/default/token", None),
        ("POST {}/oauth/initiate", {"redirectUri": REDIRECT_URI}),
    ):
        method, _, path = line.partition(" ")
        answer = api(f"{method} {PATH}/{path.format(copy['id'])}", json=body, token=installer_token())
        assert_stopped(answer, "publisher_client_changed")
    shown = get(api, copy, installer_token())
    assert (shown["status"], shown["statusReason"]) == ("ERROR", "publisher_client_changed")
    moves = log(api, copy, installer_token(), "?action=integration.status_changed")
    assert moves == [("integration.status_changed", "patchbay", "ERROR: publisher_client_changed")]
    activate = f"PUT {PATH}/{copy['id']}/status"
    assert_stopped(
        api(activate, json={"status": "ACTIVE"}, token=installer_token()), "publisher_client_changed"
    )
    # The maintenance and the deletion of a connection do not send anything to the provider either.
    run_maintenance()
    assert get(api, late, installer_token())["statusReason"] == "publisher_client_changed"
    assert api(f"DELETE {PATH}/{copy['id']}/connections/default", token=installer_token()).status == 200
    assert len(backend.rows("ConnectionsTable")) == 1
    # If the publisher restores the reviewed client, the installer can resume.
    if change is change_client:
        updated(api, source, config={"clientId": "publishers-client-1", "clientSecret": SECRET})
        assert api(activate, json={"status": "ACTIVE"}, token=installer_token()).json()["status"] == "ACTIVE"
        assert initiate(api, copy).status == 200
    install_anew = install(api, source)
    assert_problem(install_anew, 404)


def test_copy_keeps_provider_url_when_publisher_moves(api: Api) -> None:
    source = published(api, provider="salesforce")
    copy = installed(api, source)
    updated(api, source, isPublic=False)
    updated(api, source, config={"domain": "evil.my", "clientSecret": FRESH})
    own = initiate(api, source, OWNER, "https://publisher.example/back").json()["authorizationUrl"]
    assert urlsplit(own).hostname == "evil.my.salesforce.com"
    assert urlsplit(initiate(api, copy).json()["authorizationUrl"]).hostname == "login.salesforce.com"
    stored = store.get("globex", IntegrationId(copy["id"]))
    assert stored is not None
    assert client_for(stored).variables["domain"] == "login"


@pytest.mark.usefixtures("no_provider_calls")
def test_copies_stop_immediately_when_publisher_deletes(api: Api, backend: Backend) -> None:
    source = published(api)
    used, unused, withdrawn = installed(api, source), installed(api, source), installed(api, source)
    for copy in (used, unused):
        add_connection("globex", copy)
    api(f"DELETE {PATH}/{withdrawn['id']}", token=installer_token())
    assert api(f"DELETE {PATH}/{source['id']}").status == 200
    assert market(api) == []
    assert_problem(install(api, source), 404)
    assert_stopped(initiate(api, used), "publisher_removed")
    assert_stopped(initiate(api, used), "publisher_removed")
    for line, body in (
        (f"POST {PATH}/{unused['id']}/oauth/refresh", {}),
        (f"GET {PATH}/{unused['id']}/connections/default/token", None),
    ):
        stored = backend.rows("ConnectionsTable")
        assert_stopped(api(line, json=body, token=installer_token()), "publisher_removed")
        assert backend.rows("ConnectionsTable") == stored
    assert get(api, used, installer_token())["statusReason"] == "publisher_removed"
    assert log(api, used, installer_token())[-1] == (
        "integration.status_changed",
        "patchbay",
        "ERROR: publisher_removed",
    )
    run_maintenance()
    for copy in (used, unused):
        shown = get(api, copy, installer_token())
        assert (shown["status"], shown["statusReason"]) == ("ERROR", "publisher_removed")
        assert_stopped(initiate(api, copy), "publisher_removed")
        assert len(log(api, copy, installer_token(), "?action=integration.status_changed")) == 1, (
            "logged once"
        )
        activate = f"PUT {PATH}/{copy['id']}/status"
        assert_stopped(api(activate, json={"status": "ACTIVE"}, token=installer_token()), "publisher_removed")
        assert api(f"DELETE {PATH}/{copy['id']}", token=installer_token()).status == 200
    run_maintenance()
    assert {row["sk"] for row in backend.rows("IntegrationsTable")} == {"count"}
    assert backend.rows("ConnectionsTable") == []


def test_copy_created_during_publisher_deletion_never_works(api: Api) -> None:
    source = published(api)

    def deleted() -> None:
        api(f"DELETE {PATH}/{source['id']}")
        run_maintenance()

    with meanwhile("dynamodb.TransactWriteItems", deleted):
        answer = install(api, source)
    if answer.status == 201:
        assert_stopped(initiate(api, answer.json()), "publisher_removed")
        assert get(api, answer.json(), installer_token())["status"] == "ERROR"
    else:
        assert_problem(answer, 404)


def test_maintenance_deactivates_copies_after_crash_at_any_call(api: Api, backend: Backend) -> None:
    call, died = 0, True
    while died:
        call += 1
        source = published(api)
        copies = [installed(api, source), installed(api, source)]
        api(f"DELETE {PATH}/{copies[0]['id']}", token=installer_token())
        api(f"DELETE {PATH}/{source['id']}")
        with dying(call) as process:
            run_maintenance()
        died = process.died
        run_maintenance()
        shown = get(api, copies[1], installer_token())
        assert (shown["status"], shown["statusReason"]) == ("ERROR", "publisher_removed"), call
        moves = log(api, copies[1], installer_token(), "?action=integration.status_changed")
        assert moves == [("integration.status_changed", "patchbay", "ERROR: publisher_removed")], call
        left = [row["sk"] for row in backend.rows("IntegrationsTable") if row["sk"] != "count"]
        assert sorted(left) == sorted([copies[1]["id"], f"globex#{copies[1]['id']}"]), f"died before {call}"
        api(f"DELETE {PATH}/{copies[1]['id']}", token=installer_token())
        run_maintenance()
        assert {row["sk"] for row in backend.rows("IntegrationsTable")} == {"count"}, f"died before {call}"
    assert call > 8
