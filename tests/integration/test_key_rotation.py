"""Rotation of API keys by a policy: reminders, delivery of successors, crashes, attacks, and what users do
during a rotation.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from patchbay.activity.models import LogQuery
from patchbay.api_keys import guard, rotation_store, service, store
from patchbay.api_keys.models import ApiKey, ApiKeyWithSecret, CreateApiKey, RotateApiKey, UpdateApiKey
from patchbay.api_keys.rotate_keys import rotate_keys
from patchbay.api_model import ListQuery
from patchbay.auth.principal import Principal
from patchbay.auth.scopes import ROLES
from patchbay.clock import from_ms, to_ms
from patchbay.errors import Conflict, Forbidden, ValidationFailed
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.storage.due_index import IncompleteRun
from patchbay.webhooks import service as webhooks
from patchbay.webhooks import signing
from patchbay.webhooks import store as webhooks_store
from patchbay.webhooks.models import CreateWebhook, SetWebhookStatus, UpdateWebhook, WebhookWithSecret
from patchbay.workspaces import service as workspaces
from patchbay.workspaces.models import UpdateWorkspace
from tests.api_keys import ADA, DAY, HOUR, key_count, use_test_clock, use_weak_hashes
from tests.catalogued import assert_catalogued
from tests.conftest import LAMBDA_CONTEXT, Api, Backend
from tests.faults import REFUSED, TIMEOUT, Clock, dying, failing, killed, meanwhile, watched
from tests.integration.test_api_key_changes import lost_once
from tests.problems import assert_problem
from tests.receivers import Answer as Reply
from tests.receivers import Receiver, Request, receiver
from tests.tour import set_attributes
from workers.expire_keys import handler

NOTHING = {"announced": 0, "retired": 0, "reminded": 0, "rotated": 0}
# An admin, who has neither credentials:read nor workspace:delete, and a member.
BOB = Principal("acme", "user:bob", ROLES["admin"], role="admin")
EVE = Principal("acme", "user:eve", ROLES["member"], role="member")


class World:
    """The schedule and its clock, and a workspace with a webhook."""

    def __init__(self, backend: Backend, clock: Clock) -> None:
        self.backend, self.clock = backend, clock

    def run(self) -> dict[str, int]:
        return handler({}, LAMBDA_CONTEXT)

    def run_for(self, days: float, every_hours: int = 1) -> None:
        end = self.clock.now + round(days * DAY)
        while self.clock.now < end:
            self.clock.move(every_hours * 3600)
            self.run()

    def webhook(self, url: str | None, workspace: str = "acme", **more: Any) -> WebhookWithSecret:
        body = {"name": "Vault", "eventTypes": ["POST_PUBLISHED"], **({"url": url} if url else {}), **more}
        owner = replace(ADA, workspace_id=workspace)
        return webhooks.create(owner, CreateWebhook.model_validate_json(json.dumps(body)))

    def announced(self, *types: str) -> list[tuple[str, dict[str, Any]]]:
        rows = [row for row in self.backend.rows("EventsTable") if "eventId" in row and "data" in row]
        rows.sort(key=lambda row: row["eventId"])
        for row in rows:
            assert_catalogued(row["type"], json.loads(row["data"]))
        return [(row["type"], json.loads(row["data"])) for row in rows if not types or row["type"] in types]

    def rotations(self) -> dict[str, dict[str, Any]]:
        """The rows of rotations, by the ID of the key."""
        rows = [row for row in self.backend.rows("ApiKeysTable") if row["id"].startswith("rotation#")]
        return {row["id"].removeprefix("rotation#"): row for row in rows}

    def working(self) -> list[ApiKey]:
        """The keys that work, oldest first."""
        items = service.list_keys(ADA, ListQuery(limit=100)).items
        return sorted((key for key in items if key.status == "ACTIVE"), key=lambda key: key.id)


@pytest.fixture
def world(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> World:
    use_weak_hashes(monkeypatch)
    return World(backend, use_test_clock(monkeypatch))


def to(webhook: WebhookWithSecret | str, days: int = 30, **more: Any) -> dict[str, Any]:
    """A policy that delivers to a webhook, or to the secret with this ARN."""
    target = (
        {"type": "secretsManager", "secretArn": webhook}
        if isinstance(webhook, str)
        else {"type": "webhook", "webhookId": webhook.id}
    )
    return {"everyDays": days, "deliverTo": target, **more}


def create(
    rotation: dict[str, Any] | None = None, principal: Principal = ADA, **more: Any
) -> ApiKeyWithSecret:
    body = {"name": "CI", "scopes": ["events:publish"], "rotation": rotation, **more}
    return service.create(principal, CreateApiKey.model_validate_json(json.dumps(body)))


def update(key: ApiKey, principal: Principal = ADA, **changes: Any) -> ApiKey:
    return service.update(principal, key.id, UpdateApiKey.model_validate_json(json.dumps(changes)))


def set_default(policy: dict[str, Any] | None, principal: Principal = ADA) -> None:
    body = UpdateWorkspace.model_validate_json(json.dumps({"apiKeyRotation": policy}))
    workspaces.update(principal, body)


def change_webhook(webhook: WebhookWithSecret, principal: Principal = EVE, **changes: Any) -> None:
    webhooks.update(principal, webhook.id, UpdateWebhook.model_validate_json(json.dumps(changes)))


def new_secret(world: World) -> str:
    """The ARN of a new secret of the workspace. Its name is unique, because secrets outlive a test."""
    client = world.backend.client("secretsmanager")
    secret = client.create_secret(Name=f"patchbay/patchbay/acme/{uuid4()}", SecretString="old")
    return str(secret["ARN"])


def works(world: World, key: str) -> bool:
    """Whether a process that has not seen the key admits it."""
    try:
        guard.Guard(lambda: world.clock.now).admit(key)
    except guard.InvalidKey:
        return False
    return True


def delivered(r: Receiver) -> list[str]:
    """The distinct keys that a receiver got."""
    return list(dict.fromkeys(request.json()["data"]["key"] for request in r.requests))


def get(key: ApiKey) -> ApiKey:
    return service.get(ADA, key.id)


@pytest.fixture
def failing_target(world: World) -> Iterator[tuple[Receiver, WebhookWithSecret, ApiKeyWithSecret]]:
    """A due key whose receiver has refused the successor once. The receiver accepts later requests."""
    with receiver([500, 200]) as r:
        webhook = world.webhook(r.url)
        key = create(to(webhook))
        world.clock.move(30 * 86_400)
        world.run()
        assert len(world.working()) == 2
        yield r, webhook, key


# ── a rotation ───────────────────────────────────────────────────────────────────────────────────────


def test_key_rotates_when_it_is_due_and_again(world: World) -> None:
    with receiver() as r:
        webhook = world.webhook(r.url, headers={"authorization": "Bearer receiver"})
        key = create(to(webhook, overlapSeconds=7_200), rateLimitPerHour=77)
        assert key.next_rotation_at == from_ms(to_ms(key.created_at) + 30 * DAY)
        world.run_for(days=29, every_hours=24)
        assert r.requests == []
        world.clock.move(86_400)
        assert world.run() == {**NOTHING, "rotated": 1}
        (request,) = r.requests
        id, timestamp = request.headers["webhook-id"], int(request.headers["webhook-timestamp"])
        signature = signing.sign([webhook.secret], id, timestamp, request.body)
        assert request.headers["webhook-signature"] == signature
        assert request.headers["authorization"] == "Bearer receiver"
        old, new = world.working()
        assert request.json()["type"] == "API_KEY_SUCCESSOR"
        assert request.json()["data"] == {"keyId": new.id, "key": delivered(r)[0], "replaces": key.id}
        assert (new.rotated_from, new.created_by, new.rate_limit_per_hour) == (key.id, "patchbay", 77)
        assert works(world, key.key)
        assert works(world, delivered(r)[0])
        assert old.expires_at == from_ms(world.clock.now + 7_200_000)
        assert (old.rotation, old.next_rotation_at) == (None, None)
        assert new.rotation == key.rotation
        assert new.next_rotation_at == from_ms(to_ms(new.created_at) + 30 * DAY)
        assert [type for type, _ in world.announced()] == ["API_KEY_CREATED", "API_KEY_ROTATED"]
        _, data = world.announced("API_KEY_ROTATED")[0]
        assert (data["keyId"], data["successorId"], data["rotatedBy"]) == (key.id, new.id, "patchbay")
        world.clock.move(7_200)
        assert not works(world, key.key)
        world.run_for(days=30, every_hours=12)
        assert len(delivered(r)) == 2
        assert key_count(world.backend) == len(world.working()) == 2
    actions = [entry.action for entry in service.list_logs(ADA, key.id, LogQuery()).items]
    assert actions == ["api_key.expired", "api_key.rotated", "api_key.created"]


def test_policy_of_an_older_key_applies_to_its_age(world: World) -> None:
    with receiver() as r:
        key = create()
        world.clock.move(100 * 86_400)
        updated = update(key, rotation=to(world.webhook(r.url)))
        assert updated.next_rotation_at is not None
        assert to_ms(updated.next_rotation_at) < world.clock.now
        assert world.run()["rotated"] == 1


def test_overlap_of_zero_ends_the_old_key_with_the_delivery(world: World) -> None:
    with receiver() as r:
        key = create(to(world.webhook(r.url), overlapSeconds=0))
        world.clock.move(30 * 86_400)
        world.run()
        assert not works(world, key.key)
        assert works(world, delivered(r)[0])
        world.run()
        assert key_count(world.backend) == 1


def test_secret_gets_the_new_key_as_its_current_value(world: World) -> None:
    client = world.backend.client("secretsmanager")
    arn = new_secret(world)
    key = create(to(arn))
    world.clock.move(30 * 86_400)
    with killed("secretsmanager.PutSecretValue", after=True):
        world.run()
    assert get(key).expires_at is None
    with watched("secretsmanager.PutSecretValue") as puts:
        assert world.run()["rotated"] == 1
    value = json.loads(client.get_secret_value(SecretId=arn)["SecretString"])
    assert value["keyId"] == world.working()[1].id
    assert works(world, value["key"])
    versions = client.list_secret_version_ids(SecretId=arn)["Versions"]
    assert len(versions) == 2, "the repeat made another version"
    assert 32 <= len(puts[0]["ClientRequestToken"]) <= 64


# ── reminders, and the workspace's policy ────────────────────────────────────────────────────────────


def reminders(world: World) -> list[tuple[str, int]]:
    return [(data["keyId"], data["daysLeft"]) for _, data in world.announced("API_KEY_ROTATION_DUE")]


def test_policy_without_a_target_reminds_twice_and_rotates_nothing(world: World) -> None:
    key = create({"everyDays": 30})
    world.run_for(days=22.5, every_hours=12)
    assert reminders(world) == []
    world.run_for(days=1)
    assert reminders(world) == [(key.id, 7)]
    world.run_for(days=10, every_hours=6)
    assert reminders(world) == [(key.id, 7), (key.id, 0)]
    assert len(world.working()) == 1
    service.rotate(ADA, key.id, RotateApiKey())
    world.run_for(days=31, every_hours=12)
    new = world.working()[-1]
    assert reminders(world)[2:] == [(new.id, 7), (new.id, 0)]


def test_short_policies_remind_early_only_if_there_is_time(world: World) -> None:
    created = {str(create({"everyDays": days}).id): days for days in (1, 7, 8)}
    world.run_for(days=9, every_hours=4)
    assert sorted((created[id], left) for id, left in reminders(world)) == [(1, 0), (7, 0), (8, 0), (8, 7)]


def test_policy_of_the_workspace_reminds_of_keys_without_their_own(world: World) -> None:
    covered, own, out = create(), create({"everyDays": 300}), create({"everyDays": None})
    set_default({"everyDays": 30})
    due = from_ms(to_ms(covered.created_at) + 30 * DAY)
    assert [get(key).next_rotation_at == due for key in (covered, own, out)] == [True, False, False]
    assert get(out).next_rotation_at is None
    world.run_for(days=12, every_hours=12)
    late = create()
    world.run_for(days=32, every_hours=12)
    assert sorted(reminders(world)) == sorted([(key.id, left) for key in (covered, late) for left in (7, 0)])
    rows = [row for row in world.rotations().values() if row["id"].endswith((covered.id, late.id))]
    assert all("ev" not in row for row in rows)
    set_default(None)
    assert get(covered).next_rotation_at is None
    assert not [row for row in world.backend.rows("ApiKeysTable") if row["id"].startswith("default#")]


def test_policy_of_the_workspace_rotates_keys_without_their_own(world: World) -> None:
    with receiver() as r:
        key, out = create(), create({"everyDays": None})
        set_default(to(world.webhook(r.url)))
        world.run_for(days=31, every_hours=24)
        (new,) = [each for each in world.working() if each.rotated_from == key.id]
        assert len(delivered(r)) == 1
        assert get(out).expires_at is None
        assert new.rotation is None
        world.run_for(days=31, every_hours=24)
        assert len(delivered(r)) == 2


def test_key_that_drops_its_policy_follows_the_workspace(world: World) -> None:
    with receiver() as r:
        key = create({"everyDays": 300})
        set_default(to(world.webhook(r.url)))
        world.run_for(days=40, every_hours=24)
        assert r.requests == []
        update(key, rotation=None)
        world.run_for(days=1, every_hours=12)
        assert len(delivered(r)) == 1


def test_null_removes_every_kind_of_policy(world: World) -> None:
    set_default({"everyDays": 90})
    for policy in (to(new_secret(world)), {"everyDays": None}, {"everyDays": 90}):
        key = create(policy)
        update(key, rotation=None)
        assert (get(key).rotation, get(key).next_rotation_at) == (
            None,
            from_ms(to_ms(key.created_at) + 90 * DAY),
        )


# ── crashes ──────────────────────────────────────────────────────────────────────────────────────────


def assert_rotated_once(world: World, key: ApiKeyWithSecret, r: Receiver) -> None:
    """The receiver has the only successor, the old key ends, and no table keeps the text of the new key."""
    old, new = world.working()
    assert (old.id, new.rotated_from) == (key.id, key.id)
    (text,) = delivered(r)
    assert works(world, text)
    assert old.expires_at is not None
    assert len({(request.headers["webhook-id"], request.body) for request in r.requests}) == 1
    assert len(world.announced("API_KEY_ROTATED")) == 1
    assert key_count(world.backend) == 2
    assert [row for row in world.rotations().values() if "ct" in row] == []
    assert {*world.rotations()} == {new.id}


@pytest.mark.parametrize("own", [True, False], ids=["own policy", "the workspace's"])
def test_crash_anywhere_neither_loses_nor_duplicates(world: World, own: bool) -> None:
    """Kill the process before each of its AWS calls in turn, each time with another key that is due."""
    call = 0
    while True:
        call += 1
        with receiver() as r:
            for row in world.backend.rows("ApiKeysTable"):
                dynamo.batch_delete(settings().api_keys_table, [{"id": row["id"]}])
            for row in world.backend.rows("EventsTable"):
                key = {"workspaceId": row["workspaceId"], "id": row["id"]}
                dynamo.batch_delete(settings().events_table, [key])
            webhook = world.webhook(r.url)
            key_ = create(to(webhook) if own else None)
            if not own:
                set_default(to(webhook))
            world.clock.move(30 * 86_400)
            with dying(call) as process:
                world.run()
            if process.died:
                assert works(world, key_.key), call
                ends = get(key_).expires_at
                assert ends is None or delivered(r), call
                world.run()
            old, new = world.working()
            assert (old.id, new.rotated_from) == (key_.id, key_.id), call
            if own:
                assert_rotated_once(world, key_, r)
            assert len(delivered(r)) == 1, call
        # With the workspace's policy, only the calls before the key has a row of its own differ.
        if not process.died or (not own and call == 8):
            break
    assert call > 12 or not own


def test_receiver_that_accepted_before_the_crash_gets_the_same_message(world: World) -> None:
    with receiver() as r:
        key = create(to(world.webhook(r.url)))
        world.run()
        world.clock.move(30 * 86_400)
        with killed("dynamodb.TransactWriteItems", at=2):
            world.run()
        assert len(r.requests) == 1
        assert get(key).expires_at is None
        world.run()
        assert len(r.requests) == 2
        assert_rotated_once(world, key, r)


@pytest.mark.parametrize("at", [1, 2], ids=["start", "complete"])
def test_lost_response_of_a_transaction(world: World, at: int) -> None:
    with receiver() as r:
        key = create(to(world.webhook(r.url)))
        world.run()
        world.clock.move(30 * 86_400)
        if at == 2:
            with killed("dynamodb.TransactWriteItems", at=2):
                world.run()
        with lost_once():
            world.run()
        world.run()
        assert_rotated_once(world, key, r)


def test_two_runs_at_once_rotate_once(world: World) -> None:
    with receiver() as r:
        key = create(to(world.webhook(r.url)))
        world.run()
        world.clock.move(30 * 86_400)
        with meanwhile("dynamodb.TransactWriteItems", world.run):
            world.run()
        assert_rotated_once(world, key, r)


def test_failure_of_aws_leaves_the_key_for_the_next_run(world: World) -> None:
    arn = new_secret(world)
    key, other = create(to(arn)), create({"everyDays": 30})
    world.clock.move(30 * 86_400)
    with pytest.raises(IncompleteRun), failing("kms.GenerateDataKey", error=REFUSED):
        world.run()
    assert get(key).expires_at is None
    assert [each for each, _ in reminders(world)] == [other.id]
    assert world.run()["rotated"] == 1


def test_unreadable_pending_key_is_replaced(world: World, failing_target: Any) -> None:
    r, _, key = failing_target
    row = world.rotations()[key.id]
    dynamo.put(settings().api_keys_table, {**row, "ct": row["ct"][:-4] + "AAA="})
    world.run()
    world.run()
    assert len(delivered(r)) == 2
    assert works(world, delivered(r)[1])
    assert not works(world, delivered(r)[0])


# ── failures of the target ───────────────────────────────────────────────────────────────────────────


def failures(world: World) -> list[str]:
    return [data["statusReason"] for _, data in world.announced("API_KEY_ROTATION_FAILED")]


def test_failing_target_keeps_the_old_key_and_is_announced_once_a_day(world: World) -> None:
    with receiver([*[500] * 5, Reply(302, headers={"location": "/elsewhere"}), *[503] * 20, 204]) as r:
        key = create(to(world.webhook(r.url)))
        world.clock.move(30 * 86_400)
        world.run()
        world.run_for(days=1)
        assert failures(world) == ["http_500", "http_503"]
        error = get(key).last_error
        assert error is not None
        assert (error.code, get(key).expires_at) == ("http_503", None)
        assert works(world, key.key)
        world.run_for(days=0.1)
        assert_rotated_once(world, key, r)
        assert get(key).last_error is None
        assert world.working()[1].last_error is None


def test_webhook_that_takes_no_requests_gets_no_key(world: World) -> None:
    with receiver() as r:
        inactive, paused, deleted = (world.webhook(r.url) for _ in range(3))
        for webhook in (inactive, paused, deleted):
            create(to(webhook))
        webhooks.set_status(ADA, inactive.id, SetWebhookStatus(status="INACTIVE"), None, lambda: ())
        webhooks.set_status(ADA, paused.id, SetWebhookStatus(status="PAUSED"), None, lambda: ())
        webhooks.delete(ADA, deleted.id)
        world.clock.move(30 * 86_400)
        world.run()
        assert r.requests == []
        assert sorted(failures(world)) == ["webhook_deleted", "webhook_inactive", "webhook_paused"]
        assert len(world.working()) == 3, "a successor was made that no one can get"


def test_secret_that_refuses_is_announced(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    arn, deleted = new_secret(world), new_secret(world)
    create(to(arn))
    create(to(deleted))
    world.backend.client("secretsmanager").delete_secret(SecretId=deleted, ForceDeleteWithoutRecovery=True)
    world.clock.move(30 * 86_400)
    with pytest.raises(IncompleteRun), failing("secretsmanager.PutSecretValue", error=TIMEOUT, where=arn):
        world.run()
    assert failures(world) == ["secret_refused"]
    # Any workspace can name a secret that does not exist. That must not trigger the operator's alarm.
    counted = [line for line in capsys.readouterr().out.splitlines() if "AwsCallsFailed" in line]
    assert [json.loads(line)["AwsCallsFailed"] for line in counted] == [1], (
        "only the call that got no response"
    )
    assert world.run()["rotated"] == 1


def test_workspace_at_its_ceiling_of_keys_does_not_rotate(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver() as r:
        create(to(world.webhook(r.url)))
        world.clock.move(30 * 86_400)
        monkeypatch.setattr(store, "settings", lambda: replace(settings(), max_api_keys=1))
        world.run()
        assert (r.requests, failures(world)) == ([], ["too_many_api_keys"])


def test_slow_receivers_do_not_delay_each_other(world: World) -> None:
    with ExitStack() as stack:
        rs = [stack.enter_context(receiver([Reply(200, delay=0.4)])) for _ in range(5)]
        for r in rs:
            create(to(world.webhook(r.url)))
        world.clock.move(30 * 86_400)
        assert world.run()["rotated"] == 5
        times = [r.requests[0].at for r in rs]
        assert max(times) - min(times) < 0.4


def test_run_without_time_leaves_keys_for_the_next_one(world: World) -> None:
    create({"everyDays": 1})
    world.clock.move(86_400)
    assert rotate_keys(lambda: 25_000) == (0, 0)
    assert rotate_keys(lambda: 300_000) == (1, 0)


# ── attacks ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("field", ["url", "headers"])
def test_changed_webhook_gets_no_key_until_the_policy_is_confirmed(world: World, field: str) -> None:
    with receiver() as r, receiver() as thief:
        webhook = world.webhook(r.url, headers={"x-tenant": "acme"})
        key = create(to(webhook))
        changed: dict[str, Any] = {"headers": {"x-tenant": "eve"}}
        changed |= {"url": thief.url} if field == "url" else {}
        change_webhook(webhook, **changed)
        world.clock.move(30 * 86_400)
        world.run()
        assert (r.requests, thief.requests, failures(world)) == ([], [], ["webhook_changed"])
        assert len(world.working()) == 1
        shown = get(key).model_dump(mode="json", by_alias=True)
        update(key, name="renamed", rotation=shown["rotation"])  # GET, edit and PUT confirm nothing
        world.run()
        assert (r.requests, thief.requests) == ([], [])
        update(key, rotation=to(webhook))
        world.run()
        assert len(delivered(thief if field == "url" else r)) == 1


def test_former_receiver_does_not_have_the_key_that_the_confirmed_one_gets(
    world: World, failing_target: Any
) -> None:
    r, webhook, key = failing_target
    with receiver() as other:
        change_webhook(webhook, url=other.url)
        world.run()
        assert (len(r.requests), other.requests) == (1, [])
        update(key, rotation=to(webhook))
        world.run()
        (stale,), (fresh,) = delivered(r), delivered(other)
        assert not works(world, stale)
        assert works(world, fresh)
        assert [each.rotated_from for each in world.working()] == [None, key.id]


def test_only_users_with_all_scopes_of_the_key_set_its_policy(world: World) -> None:
    webhook = world.webhook("https://example.com/")
    strong = create(scopes=["credentials:read"])
    with pytest.raises(Forbidden, match="credentials:read"):
        update(strong, BOB, rotation=to(webhook))
    with pytest.raises(Forbidden, match="credentials:read"):
        create(to(webhook), BOB, scopes=["credentials:read"])
    weak = create(scopes=["api-keys:write"], rotation={"everyDays": 10})
    caller = guard.admit(weak.key).principal
    for policy in (to(webhook), {"everyDays": 11}, {"everyDays": None}, None):
        with pytest.raises(Forbidden, match="An API key cannot change the rotation of API keys"):
            update(weak, caller, rotation=policy)
    shown = get(weak).model_dump(mode="json", by_alias=True)
    update(weak, caller, name="narrowed", rotation=shown["rotation"])
    assert get(weak).rotation == weak.rotation


def test_scope_that_is_added_later_needs_the_consent_of_whoever_adds_it(world: World) -> None:
    with receiver() as r:
        webhook = world.webhook(r.url)
        key = create(to(webhook), BOB)
        shown = get(key).model_dump(mode="json", by_alias=True)
        wider = ["events:publish", "credentials:read"]
        for rotation in ({}, {"rotation": shown["rotation"]}):
            with pytest.raises(ValidationFailed, match="would get credentials:read"):
                update(key, scopes=wider, **rotation)
        update(key, scopes=["events:read"], rotation={"everyDays": 30})
        update(key, scopes=wider)
        update(key, scopes=["posts:read", *wider], rotation=to(webhook))
        world.clock.move(30 * 86_400)
        world.run()
        assert len(delivered(r)) == 1


@pytest.mark.parametrize("steps", ["one request", "target, then scopes", "changed webhook and scopes"])
def test_former_receiver_gets_no_scope_that_is_added_later(
    world: World, failing_target: Any, steps: str
) -> None:
    """The former receiver has the pending key, and could use it to pose as the receiver that accepted it."""
    r, webhook, key = failing_target
    (stale,) = delivered(r)
    wider = ["events:publish", "credentials:read"]
    with receiver() as other:
        match steps:
            case "one request":
                update(key, scopes=wider, rotation={"everyDays": 30})
            case "target, then scopes":
                update(key, rotation={"everyDays": 30})
                update(key, scopes=wider)
            case _:
                change_webhook(webhook, url=other.url)
                update(key, scopes=wider, rotation=to(webhook))
        update(key, rateLimitPerHour=7)
        principal = guard.Guard(lambda: world.clock.now).admit(stale).principal
        assert principal.scopes == {"events:publish"}
        assert principal.key is not None
        assert principal.key.rate_limit_per_hour == 7
        world.run()
        assert works(world, key.key)
        assert get(key).expires_at is None or delivered(other), "a former receiver ended the key"


def test_pending_successor_is_only_narrowed_by_itself(world: World, failing_target: Any) -> None:
    r, _, key = failing_target
    pending = world.working()[1]
    for wider in ({"scopes": ["events:publish", "credentials:read"]}, {"rateLimitPerDay": 20_000}):
        with pytest.raises(Conflict, match=f"change the key that it replaces, {key.id}"):
            update(pending, **wider)
    update(pending, rateLimitPerDay=5)
    world.run()
    assert_rotated_once(world, key, r)
    update(pending, rateLimitPerDay=20_000)


def test_secret_that_is_sent_as_it_was_read_confirms_nothing(world: World) -> None:
    arn = new_secret(world)
    key = create(to(arn))
    shown = get(key).model_dump(mode="json", by_alias=True)
    wider = ["events:publish", "credentials:read"]
    with pytest.raises(ValidationFailed, match="would get credentials:read"):
        update(key, scopes=wider, rotation=shown["rotation"])
    other = to(new_secret(world))
    other["deliverTo"]["pin"] = shown["rotation"]["deliverTo"]["pin"]
    with pytest.raises(ValidationFailed, match="belongs to another secret"):
        update(key, rotation=other)
    assert update(key, scopes=wider, rotation=to(arn)).rotation == key.rotation


def test_overlap_is_not_longer_than_the_policy(world: World) -> None:
    with pytest.raises(ValidationFailed, match="must not be longer than everyDays"):
        create({"everyDays": 1, "overlapSeconds": 86_401})
    create({"everyDays": 1, "overlapSeconds": 86_400})


def test_only_an_owner_sets_the_target_of_the_workspace(world: World) -> None:
    webhook = world.webhook("https://example.com/")
    partial = Principal("acme", "user:bob", frozenset({"workspace:delete", "api-keys:write"}))
    caller = guard.admit(create(scopes=["workspace:delete"]).key).principal
    set_default({"everyDays": 90}, partial)
    with pytest.raises(Forbidden, match="Only an owner can set where"):
        set_default(to(webhook), partial)
    with pytest.raises(Forbidden, match="An API key cannot change the rotation"):
        set_default(None, caller)
    set_default(to(webhook))
    with pytest.raises(Forbidden, match="Only an owner can set where"):
        set_default(to(webhook, days=1), partial)
    read = workspaces.get(partial).model_dump(mode="json", by_alias=True)["apiKeyRotation"]
    set_default(read, partial)  # unchanged
    set_default(None, partial)


def test_webhook_must_be_of_the_workspace_and_have_a_url(world: World) -> None:
    foreign = world.webhook("https://example.com/", workspace="other")
    pull = world.webhook(None, kind="pull")
    for webhook, message in ((foreign, "no webhook with this ID"), (pull, "pull webhook")):
        for path, attempt in (("rotation", create), ("apiKeyRotation", set_default)):
            with pytest.raises(ValidationFailed, match=rf"{path}.deliverTo.webhookId: .*{message}"):
                attempt(to(webhook))
    mine = world.webhook("https://example.com/")
    policy = to(mine)
    policy["deliverTo"]["pin"] = "0" * 32
    with pytest.raises(ValidationFailed, match=r"rotation\.deliverTo\.pin"):
        create(policy)
    with pytest.raises(ValidationFailed, match="must be null if everyDays is null"):
        create(to(mine) | {"everyDays": None})


def test_target_of_the_workspace_is_no_secret(api: Api) -> None:
    answer = api(
        "PUT /api/workspace", json={"apiKeyRotation": to("arn:aws:secretsmanager:us-east-1:1:secret:a")}
    )
    assert_problem(answer, 422, "validation_failed")


def test_key_is_nowhere_in_plain_text(
    world: World, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def echo(request: Request) -> Reply:
        return Reply(500, {"x-echo": request.json()["data"]["key"]}, request.body)

    with receiver([echo]) as r:
        key = create(to(world.webhook(r.url)))
        world.clock.move(30 * 86_400)
        world.run()
    (text,) = delivered(r)
    tables = [table.logical_id for table in world.backend.template.of_type("AWS::DynamoDB::Table")]
    stored = [row for table in tables for row in world.backend.rows(table)]
    logged = caplog.text + "".join(capsys.readouterr())
    assert "api key rotation refused" in logged
    assert text not in repr(stored) + logged
    sealed = world.rotations()[key.id]["ct"]
    shown = [service.list_keys(ADA, ListQuery()), workspaces.get(ADA), world.announced()]
    assert sealed not in repr(shown) + logged
    state = rotation_store.get(key.id)
    assert state is not None
    assert sealed not in repr(state)


def test_export_has_policies_and_no_pending_key(world: World, failing_target: Any) -> None:
    r, _, key = failing_target
    export = importlib.import_module("workers.run_workspace_tasks").handler
    task = workspaces.export(ADA)
    assert export({}, LAMBDA_CONTEXT) == {"advanced": 1}
    file = world.backend.client("s3").get_object(
        Bucket=settings().exports_bucket, Key=f"acme/{task.id}.ndjson"
    )
    content = file["Body"].read().decode()
    assert '"rotation":{"everyDays":30' in content
    assert delivered(r)[0] not in content
    assert world.rotations()[key.id]["ct"] not in content


def test_workspace_that_is_erased_sends_nothing(world: World, failing_target: Any) -> None:
    r, webhook, _ = failing_target
    create(to(webhook))
    table, key = webhooks_store.workspace_state_key("acme")
    dynamo.update(table, key, "SET erasing = :task", returning="NONE", condition=None, names=None, task="tsk")
    world.clock.move(30 * 86_400)
    world.run()
    assert len(r.requests) == 1


# ── what users do during a rotation ──────────────────────────────────────────────────────────────────


def test_update_of_the_key_also_applies_to_its_pending_successor(world: World, failing_target: Any) -> None:
    r, _, key = failing_target
    update(key, name="narrow", rateLimitPerHour=5)
    pending = world.working()[1]
    assert (pending.name, pending.rate_limit_per_hour) == ("narrow", 5)
    update(pending, name="edited on its own")
    update(key, name="again")
    assert world.working()[1].name == "edited on its own"
    world.run()
    assert_rotated_once(world, key, r)


def test_update_between_delivery_and_completion_does_not_end_or_lose_anything(world: World) -> None:
    with receiver() as r:
        key = create(to(world.webhook(r.url)))
        world.run()
        world.clock.move(30 * 86_400)
        with meanwhile("dynamodb.TransactWriteItems", lambda: update(key, rateLimitPerHour=5), at=2):
            world.run()
        assert {each.rate_limit_per_hour for each in world.working()} == {5}
        assert_rotated_once(world, key, r)


def test_revoking_the_key_revokes_its_pending_successor(world: World, failing_target: Any) -> None:
    r, _, key = failing_target
    service.revoke(ADA, key.id)
    assert world.working() == []
    assert not works(world, delivered(r)[0])
    world.run()
    assert world.rotations() == {}
    assert len(r.requests) == 1
    assert key_count(world.backend) == 0


def test_schedule_revokes_the_successor_of_a_revoked_key_after_a_crash(
    world: World, failing_target: Any
) -> None:
    r, _, key = failing_target
    with killed("dynamodb.GetItem", where=f"rotation#{key.id}"):
        service.revoke(ADA, key.id)
    assert works(world, delivered(r)[0])
    other = [each for each in world.working() if each.id != key.id]
    set_attributes(world.backend, "ApiKeysTable", {"id": other[0].id}, t=0)  # no one has used it
    world.run()
    assert not works(world, delivered(r)[0])


def test_successor_that_is_used_was_accepted(world: World, failing_target: Any) -> None:
    r, _, key = failing_target
    assert works(world, delivered(r)[0])
    service.revoke(ADA, key.id)
    (new,) = world.working()
    world.run()
    assert get(new).rotation == key.rotation
    assert len(r.requests) == 1
    assert {*world.rotations()} == {new.id}


def test_lost_response_of_a_slow_receiver_that_uses_its_key_completes(
    world: World, failing_target: Any
) -> None:
    r, _, key = failing_target
    assert works(world, delivered(r)[0])
    world.run()
    assert_rotated_once(world, key, r)
    assert len(r.requests) == 1


@pytest.mark.parametrize("overlap", [0, 3600])
def test_rotation_by_hand_takes_over_from_a_pending_one(
    world: World, failing_target: Any, overlap: int
) -> None:
    r, _, key = failing_target
    new = service.rotate(ADA, key.id, RotateApiKey(overlap_seconds=overlap))
    assert new.rotation == key.rotation
    assert works(world, delivered(r)[0]) == works(world, key.key) == bool(overlap)
    world.clock.move(overlap)
    assert [each.id for each in world.working()] == [new.id]
    world.run()
    world.run()
    assert {*world.rotations()} == {new.id}
    assert (len(r.requests), key_count(world.backend)) == (1, 1)


def test_rotation_by_hand_is_refused_if_the_schedule_is_faster(world: World) -> None:
    with receiver() as r:
        key = create(to(world.webhook(r.url)))
        world.clock.move(30 * 86_400)
        with (
            meanwhile("dynamodb.TransactWriteItems", world.run),
            pytest.raises(Conflict, match="already rotated"),
        ):
            service.rotate(ADA, key.id, RotateApiKey())
        assert_rotated_once(world, key, r)


@pytest.mark.parametrize("end", ["revoke", "rotate"])
def test_successor_that_is_ended_by_hand_is_replaced(world: World, failing_target: Any, end: str) -> None:
    r, _, key = failing_target
    pending = world.working()[1]
    if end == "revoke":
        service.revoke(ADA, pending.id)
    else:
        service.rotate(ADA, pending.id, RotateApiKey(overlap_seconds=0))
    world.run()
    assert len(delivered(r)) == 2
    assert works(world, delivered(r)[1])
    assert get(key).expires_at is not None


@pytest.mark.parametrize("policy", [None, {"everyDays": None}, {"everyDays": 30}])
def test_policy_that_is_removed_ends_the_pending_successor(
    world: World, failing_target: Any, policy: dict[str, Any] | None
) -> None:
    r, _, key = failing_target
    update(key, rotation=policy)
    assert get(key).last_error is None
    world.run()
    assert [each.id for each in world.working()] == [key.id]
    assert len(r.requests) == 1
    assert get(key).expires_at is None
    assert all("ct" not in row for row in world.rotations().values())


def test_key_that_expires_in_the_middle_takes_its_successor_along(world: World) -> None:
    with receiver([500]) as r:
        expires = from_ms(world.clock.now + 30 * DAY + 2 * HOUR).isoformat()
        create(to(world.webhook(r.url)), expiresAt=expires)
        world.clock.move(30 * 86_400)
        world.run()
        world.clock.move(3 * 3_600)
        world.run()
        world.run()
        assert (world.working(), world.rotations(), key_count(world.backend)) == ([], {}, 0)


def test_pending_key_with_a_policy_of_its_own_keeps_it(world: World, failing_target: Any) -> None:
    _, _, key = failing_target
    pending = world.working()[1]
    update(pending, rotation={"everyDays": 365})
    world.run()
    old, new = world.working()
    assert old.id == key.id
    assert new.rotation is not None
    assert new.rotation.every_days == 365


def test_ended_key_is_forgotten(world: World) -> None:
    set_default({"everyDays": 20})
    keys = [create({"everyDays": 10}), create({"everyDays": None}), create()]
    world.run_for(days=21, every_hours=24)
    assert len(reminders(world)) == 4
    assert {*world.rotations()} == {key.id for key in keys}
    for key in keys:
        service.revoke(ADA, key.id)
    world.run_for(days=32, every_hours=24)
    assert world.rotations() == {}
    assert len(reminders(world)) == 4


def test_keys_that_always_fail_do_not_delay_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    faulty = [create(to(new_secret(world))) for _ in range(2)]
    world.clock.move(7_200)
    key = create(to(new_secret(world)))
    world.clock.move(30 * 86_400 - 7_200)
    monkeypatch.setattr("patchbay.api_keys.rotate_keys._MOST", 2)
    names = [each.rotation.deliver_to.secret_arn for each in faulty]  # type: ignore[union-attr]
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(failing("secretsmanager.PutSecretValue", times=9, error=TIMEOUT, where=name))
        for _ in range(5):
            with suppress(IncompleteRun):
                world.run()
            world.clock.move(3_600)
    assert get(key).expires_at is not None
