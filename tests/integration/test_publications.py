"""Routes for reviewing publications: only the platform's workspace may call them, a decision applies to the
version that was reviewed, and every decision is in the audit log of the workspace that made it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from patchbay.ids import IntegrationId
from patchbay.integrations import store
from patchbay.settings import settings
from patchbay.storage import dynamo
from tests.conftest import OWNER, Answer, Api, Backend, jwt_for
from tests.faults import killed, meanwhile
from tests.integration import test_marketplace
from tests.integration.integrations_api import PATH, items, snapshot
from tests.integration.test_marketplace import (
    FRESH,
    PRIVATE,
    SECRET,
    created,
    get,
    install,
    installed,
    log,
    market,
    updated,
)
from tests.problems import assert_problem

PUBLICATIONS = "/api/publications"
SCOPE = "publications:review"


def reviewer() -> str:
    """Return a token of the platform's workspace that grants only reviews."""
    return jwt_for("platform", scope=SCOPE)


def listed(api: Api, query: str = "limit=100") -> list[Any]:
    return items(api(f"GET {PUBLICATIONS}?{query}", token=reviewer()))


def path_of(integration: Any, workspace: str = "acme") -> str:
    return f"{PUBLICATIONS}/{workspace}/{integration['id']}"


def publication(api: Api, integration: Any, workspace: str = "acme") -> Any:
    answer = api(f"GET {path_of(integration, workspace)}", token=reviewer())
    assert answer.status == 200, answer.text
    return answer.json()


def decide(
    api: Api, integration: Any, decision: str = "APPROVE", *, token: str | None = None, **body: Any
) -> Answer:
    """Decide on the current version, unless `body` has another one."""
    current = store.get("acme", IntegrationId(integration["id"]))
    body = {"version": None if current is None else current.version, **body}
    line = f"PUT {path_of(integration)}/decision"
    return api(line, json={"decision": decision, **body}, token=token or reviewer())


def decided(api: Api, integration: Any, decision: str = "APPROVE", **body: Any) -> Any:
    answer = decide(api, integration, decision, **body)
    assert answer.status == 200, answer.text
    return answer.json()


def audit(api: Api, token: str) -> list[Any]:
    return items(api("GET /api/audit?action=publications.decide", token=token))


# ── what a reviewer sees ─────────────────────────────────────────────────────────────────────────────


def test_publication_shows_what_changes_against_the_listed_version(api: Api) -> None:
    source = created(api, isPublic=True)
    first = publication(api, source)
    assert (first["reviewStatus"], first["listed"], first["listedAt"]) == ("PENDING", None, None)
    assert first["waitingSince"] is not None
    assert first["submitted"] == {
        "version": 1, "name": "HubSpot for newsrooms", "type": "CRM", "provider": "hubspot",
        "description": "Contacts of readers.", "logoUrl": "https://cdn.example/hub.png",
        "scopes": ["oauth", "crm.objects.contacts.read"], "clientId": "publishers-client-1",
        "rateLimitPerHour": 100, "rateLimitPerDay": 1000,
    }  # fmt: skip
    approved = decided(api, source, publisherName="Acme Inc.", verified=True)
    assert (approved["reviewStatus"], approved["waitingSince"]) == ("APPROVED", None)
    assert (approved["publisherName"], approved["verified"]) == ("Acme Inc.", True)
    assert approved["listed"] == {**first["submitted"], "version": 2}
    updated(api, source, name="HubSpot for all", scopes=["oauth"])
    changed = publication(api, source)
    assert changed["listed"] == approved["listed"]
    assert changed["submitted"] == {
        **first["submitted"], "version": 3, "name": "HubSpot for all", "scopes": ["oauth"],
    }  # fmt: skip
    assert [one["name"] for one in market(api)] == ["HubSpot for newsrooms"]
    rejected = decided(api, source, "REJECT", reviewReason="Too few scopes.")
    assert rejected["listed"] == approved["listed"]
    assert get(api, source)["reviewReason"] == "Too few scopes."


def test_list_has_waiting_publications_first_each_one_once(api: Api) -> None:
    sources = [created(api, isPublic=True, name=f"Offer {number}") for number in range(5)]
    for source in sources[:3]:
        decided(api, source)
    updated(api, sources[1], description="new")  # waits for another review
    updated(api, sources[2], description="newer")
    decided(api, sources[2], "REJECT")  # the approved version stays listed
    ids = [source["id"] for source in sources]
    waiting, others = [ids[4], ids[3], ids[1]], [ids[2], ids[0]]
    assert [each["id"] for each in listed(api)] == [*waiting, *others]
    found, cursor = [], ""
    while True:
        page = api(f"GET {PUBLICATIONS}?limit=2{cursor}", token=reviewer()).json()
        found += [each["id"] for each in page["items"]]
        if page["nextCursor"] is None:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert found == [*waiting, *others]
    for status, expected in (("PENDING", waiting), ("APPROVED", [ids[0]]), ("REJECTED", [ids[2]])):
        assert [each["id"] for each in listed(api, f"reviewStatus={status}")] == expected
    assert_problem(
        api(f"GET {PUBLICATIONS}?reviewStatus=WITHDRAWN", token=reviewer()), 422, paths=["reviewStatus"]
    )
    for cursor in ("x", "2.", "0.int_x", "-1.", "0.é"):
        answer = api(f"GET {PUBLICATIONS}?cursor={quote(cursor)}", token=reviewer())
        assert_problem(answer, 422, "validation_failed", paths=["cursor"])


def test_deleted_integrations_are_not_listed(api: Api) -> None:
    waiting, public = created(api, isPublic=True), created(api, isPublic=True)
    decided(api, public)
    for source in (waiting, public):
        assert api(f"DELETE {PATH}/{source['id']}").status == 200
        assert_problem(api(f"GET {path_of(source)}", token=reviewer()), 404, "not_found")
        assert_problem(decide(api, source, "WITHDRAW"), 404, "not_found")
    assert listed(api) == []


def test_reviewer_never_sees_secrets_or_metadata(api: Api) -> None:
    source = created(api, isPublic=True)
    texts = [
        api(f"GET {PUBLICATIONS}", token=reviewer()).text,
        api(f"GET {path_of(source)}", token=reviewer()).text,
        decide(api, source).text,
    ]
    for text in texts:
        assert "publishers-client-1" in text
        assert all(secret not in text for secret in (SECRET, PRIVATE, "clientSecret", "publisher.example"))


def test_private_integration_is_no_publication(api: Api, backend: Backend) -> None:
    """The platform sees only what another workspace offers to others."""
    source = created(api)
    before = snapshot(backend)
    for decision in ("APPROVE", "REJECT", "WITHDRAW"):
        assert_problem(decide(api, source, decision), 404, "not_found")
        assert_problem(
            api(f"GET {path_of(source, 'rival')}", token=reviewer()), 404, "not_found"
        )  # not under another workspace either
    assert_problem(api(f"GET {path_of(source)}", token=reviewer()), 404, "not_found")
    assert snapshot(backend) == before
    updated(api, source, isPublic=True)
    decided(api, source)
    installed(api, source)
    updated(api, source, isPublic=False, name="My plans", description="Private again")
    shown = api(f"GET {path_of(source)}", token=reviewer())
    # Its copies still use its client, so it can be withdrawn. Its new content is private.
    assert (shown.json()["submitted"], shown.json()["listed"], shown.json()["copyCount"]) == (None, None, 1)
    assert "rivate again" not in shown.text
    assert "My plans" not in shown.text
    assert listed(api) == []
    assert decided(api, source, "WITHDRAW")["withdrawn"]


def test_copies_are_counted(api: Api) -> None:
    source = created(api, isPublic=True)
    assert publication(api, source)["copyCount"] == 0
    decided(api, source)
    for _ in range(3):
        installed(api, source)
    assert publication(api, source)["copyCount"] == 3


# ── decisions ────────────────────────────────────────────────────────────────────────────────────────


def test_decision_is_about_the_version_that_was_reviewed(api: Api, backend: Backend) -> None:
    source = created(api, isPublic=True)
    version = publication(api, source)["version"]
    updated(api, source, description="Send us your passwords.")
    before = snapshot(backend)
    for decision in ("APPROVE", "REJECT"):
        assert_problem(
            decide(api, source, decision, version=version), 409, "conflict", "version 2", "pending"
        )
        assert_problem(decide(api, source, decision, version=3), 409, "conflict")
        assert_problem(decide(api, source, decision, version=None), 422, paths=["version"])
        line = f"PUT {path_of(source)}/decision"
        stale = {"decision": decision, "version": 2}
        answer = api(line, json=stale, token=reviewer(), headers={"If-Match": '"1"'})
        assert_problem(answer, 412, "precondition_failed")
    assert snapshot(backend) == before
    assert market(api) == []

    def changed() -> None:
        updated(api, source, description="Send us your keys.")

    with meanwhile("dynamodb.TransactWriteItems", changed):
        assert_problem(decide(api, source), 409, "conflict", "just changed")
    assert market(api) == []


def test_second_decision_on_a_version_is_a_conflict(api: Api) -> None:
    source = created(api, isPublic=True)

    def first() -> None:
        decided(api, source, "REJECT", reviewReason="No.")

    with meanwhile("dynamodb.TransactWriteItems", first):
        assert_problem(decide(api, source, version=1), 409, "conflict")
    for decision in ("APPROVE", "REJECT"):
        assert_problem(decide(api, source, decision, version=1), 409, "conflict", "REJECTED")
        assert_problem(decide(api, source, decision), 409, "conflict", "REJECTED")
    shown = publication(api, source)
    assert (shown["reviewStatus"], shown["reviewReason"], len(shown["decisions"])) == ("REJECTED", "No.", 1)
    assert market(api) == []


def test_publisher_cannot_prevent_withdrawal_by_changes(api: Api) -> None:
    source = created(api, isPublic=True)
    decided(api, source)
    copy = installed(api, source)
    for number in range(2):
        updated(api, source, metadata={"n": number})
    # The integration changes between the read and the write of the withdrawal.
    with meanwhile("dynamodb.TransactWriteItems", lambda: updated(api, source, metadata={"n": "last"})):
        withdrawn = decided(api, source, "WITHDRAW", version=1, reviewReason="It steals.")
    assert (withdrawn["withdrawn"], withdrawn["reviewStatus"], withdrawn["listed"]) == (
        True,
        "REJECTED",
        None,
    )
    shown = get(api, source)
    assert (shown["withdrawn"], shown["reviewStatus"], shown["reviewReason"]) == (
        True,
        "REJECTED",
        "It steals.",
    )
    assert market(api) == []
    assert_problem(install(api, source), 404)
    answer = api(f"POST {PATH}/{copy['id']}/oauth/initiate", json={}, token=jwt_for("globex"))
    assert answer.status in (409, 422)
    # Approving a later version lets copies work again.
    updated(api, source, description="Honest now")
    assert get(api, source)["withdrawn"]
    assert not decided(api, source)["withdrawn"]
    assert not get(api, source)["withdrawn"]


def test_integration_that_can_no_longer_be_public_is_not_approved(api: Api) -> None:
    source = created(api, isPublic=True)
    api(f"PUT {PATH}/{source['id']}", json={"config": {"clientId": "other", "clientSecret": FRESH}})
    # Earlier releases could store such a row: public, but without a client.
    stored = store.get("acme", IntegrationId(source["id"]))
    assert stored is not None
    store.update(stored, replace(stored, config={}, secrets=None, secret_names=()), [])
    assert_problem(decide(api, source), 422, "validation_failed", "its own OAuth client")
    assert market(api) == []


def test_decision_listing_and_log_entries_are_one_transaction(api: Api, backend: Backend) -> None:
    for decision, action in (("APPROVE", "publication.approved"), ("REJECT", "publication.rejected")):
        source = created(api, isPublic=True)
        before = snapshot(backend)
        with killed("dynamodb.TransactWriteItems"):
            decide(api, source, decision, reviewReason="so be it")
        assert snapshot(backend) == before
        recorded = len(audit(api, jwt_for("platform")))
        with killed("dynamodb.TransactWriteItems", after=True):
            decide(api, source, decision, reviewReason="so be it")
        assert log(api, source)[1:] == [(action, "platform", "so be it")]
        assert len(audit(api, jwt_for("platform"))) == recorded + 1
        (entry,) = publication(api, source)["decisions"]
        assert (entry["action"], entry["actor"], entry["detail"]) == (action, "user:someone", "so be it")


def test_decision_is_in_the_platforms_audit_log_and_its_author_not_in_the_publishers(api: Api) -> None:
    source = created(api, isPublic=True)
    decided(api, source, publisherName="Acme Inc.", reviewReason="Fine.")
    (entry,) = audit(api, jwt_for("platform"))
    assert (entry["actor"], entry["target"], entry["outcome"]) == (
        "user:someone",
        f"acme/{source['id']}",
        "SUCCEEDED",
    )
    assert entry["fields"] == ["decision", "publisherName", "reviewReason", "version"]
    assert log(api, source)[1:] == [("publication.approved", "platform", "Fine.")]
    assert audit(api, OWNER) == []
    # A refused decision is in the audit log of the workspace that sent it.
    tenant = jwt_for("rival", scope=f"{SCOPE} audit:read", sub="mallory")
    assert_problem(decide(api, source, "WITHDRAW", token=tenant), 403, "forbidden", SCOPE)
    (refused,) = audit(api, tenant)
    assert (refused["actor"], refused["outcome"], refused["reason"]) == (
        "user:mallory",
        "REFUSED",
        "forbidden",
    )


def test_decision_of_an_operator_is_in_the_same_history(api: Api) -> None:
    source = created(api, isPublic=True)
    decided(api, source, "REJECT", reviewReason="The name is not yours.")
    updated(api, source, name="Ours")
    test_marketplace.decide(get(api, source), publisherName="Acme Inc.")
    history = [(entry["action"], entry["actor"]) for entry in publication(api, source)["decisions"]]
    assert history == [("publication.approved", "platform"), ("publication.rejected", "user:someone")]
    assert test_marketplace.review() == {"waiting": []}


def test_platform_withdraws_its_own_publication(api: Api) -> None:
    platform = jwt_for("platform")
    source = created(api, platform, isPublic=True)
    line = f"PUT {path_of(source, 'platform')}/decision"
    answer = api(line, json={"decision": "WITHDRAW"}, token=platform)
    assert (answer.status, answer.json()["withdrawn"]) == (200, True)
    assert [entry[:2] for entry in log(api, source, platform)[1:]] == [("publication.withdrawn", "platform")]
    (entry,) = audit(api, platform)
    assert entry["actor"] == "user:someone"


# ── attackers ────────────────────────────────────────────────────────────────────────────────────────


def portal(api: Api, token: str, **body: Any) -> str:
    """Create a portal session and return its token."""
    link = api("POST /api/portal/sessions", json=body, token=token)
    assert link.status == 201, link.text
    code = link.json()["link"].partition("#code=")[2]
    return str(api("POST /api/portal/sessions/exchange", json={"code": code}, token=None).json()["token"])


def test_only_the_platforms_workspace_reviews(api: Api, backend: Backend, subtests: pytest.Subtests) -> None:
    source = created(api, isPublic=True)
    key_body = {"name": "k", "scopes": ["integrations:read"], "rateLimitPerHour": 99, "rateLimitPerDay": 99}
    key = api("POST /api/integrations/api-keys", json=key_body).json()
    # The API never grants a key this scope, so write it to the row.
    row_key = {"id": key["id"]}
    dynamo.update(settings().api_keys_table, row_key, "SET sc = :sc", sc=f"integrations:read {SCOPE}")
    callers = {
        "an owner": OWNER,
        "a scope claim": jwt_for("acme", scope=SCOPE),
        "the publisher with both": jwt_for("acme", role="owner", scope=f"integrations:publish {SCOPE}"),
        "a role claim": jwt_for("rival", role="platform"),
        "a session of a tenant": portal(api, OWNER),
        "an API key of a tenant": key["key"],
        "a member of the platform": jwt_for("platform", role="member"),
        "a viewer of the platform": jwt_for("platform", role="viewer"),
        "the platform with another scope": jwt_for("platform", scope="actions:handle integrations:publish"),
    }
    before = backend.rows("IntegrationsTable")
    lines = (
        ("GET", PUBLICATIONS, None),
        ("GET", path_of(source), None),
        ("PUT", f"{path_of(source)}/decision", {"decision": "APPROVE", "version": 1}),
        ("PUT", f"{path_of(source)}/decision", {"decision": "WITHDRAW"}),
    )
    for name, token in callers.items():
        for method, path, body in lines:
            with subtests.test(f"{name}: {method} {path}"):
                assert_problem(api(f"{method} {path}", json=body, token=token), 403, "forbidden", SCOPE)
    assert_problem(api(f"GET {PUBLICATIONS}", token=None), 401)
    assert backend.rows("IntegrationsTable") == before
    assert market(api) == []


def test_no_tenant_can_grant_the_scope(api: Api) -> None:
    for token in (OWNER, jwt_for("acme", scope=f"api-keys:write {SCOPE}")):
        key = {"name": "k", "scopes": [SCOPE]}
        assert_problem(api("POST /api/integrations/api-keys", json=key, token=token), 403, None, SCOPE)
        session = {"capabilities": [SCOPE]}
        assert_problem(api("POST /api/portal/sessions", json=session, token=token), 403, "forbidden", SCOPE)
    # Keys can have other scopes that begin with `publications:`, as the platform defines them.
    key = {"name": "k", "scopes": ["publications:read"]}
    assert api("POST /api/integrations/api-keys", json=key).status == 201
    typo = {"name": "k", "scopes": ["publication:review"]}
    assert_problem(api("POST /api/integrations/api-keys", json=typo), 422, None, SCOPE)


def test_session_of_the_platform_reviews_and_a_read_only_one_looks(api: Api) -> None:
    source = created(api, isPublic=True)
    looks = portal(api, jwt_for("platform"), readOnly=True)
    assert [each["id"] for each in items(api(f"GET {PUBLICATIONS}", token=looks))] == [source["id"]]
    assert_problem(decide(api, source, token=looks), 403, "forbidden", "read-only")
    assert market(api) == []
    acts = portal(api, jwt_for("platform", role="admin"), label="Robin")
    assert decide(api, source, token=acts).status == 200
    (entry,) = [each for each in audit(api, jwt_for("platform")) if each["outcome"] == "SUCCEEDED"]
    assert (entry["actorLabel"], entry["actor"].partition(":")[0]) == ("Robin", "session")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"decision": "approve", "version": 1}, "decision"),
        ({"version": 1}, "decision"),
        ({"decision": "APPROVE", "version": "1"}, "version"),
        ({"decision": "APPROVE", "version": 1, "force": True}, "force"),
        ({"decision": "APPROVE", "version": 1, "publisherName": "Acme\u202e.cnI"}, "publisherName"),
        ({"decision": "APPROVE", "version": 1, "publisherName": " "}, "publisherName"),
        ({"decision": "APPROVE", "version": 1, "publisherName": "x" * 101}, "publisherName"),
        ({"decision": "REJECT", "version": 1, "reviewReason": "x" * 501}, "reviewReason"),
        ({"decision": "REJECT", "version": 1, "reviewReason": "a\u0000b"}, "reviewReason"),
        ({"decision": "APPROVE", "version": 1, "verified": "yes"}, "verified"),
    ],
)
def test_decision_rejects_invalid_body(api: Api, body: Any, path: str) -> None:
    source = created(api, isPublic=True)
    answer = api(f"PUT {path_of(source)}/decision", json=body, token=reviewer())
    assert_problem(answer, 422, "validation_failed", paths=[path])


def test_publisher_cannot_send_what_the_platform_sets(api: Api) -> None:
    source = created(api, isPublic=True)
    fields: dict[str, Any] = {"withdrawn": True, "reviewStatus": "APPROVED", "publisher": {"verified": True}}
    for field, value in fields.items():
        answer = api(f"PUT {PATH}/{source['id']}", json={field: value})
        assert_problem(answer, 422, "validation_failed", paths=[field])
