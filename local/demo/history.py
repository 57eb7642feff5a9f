"""Writes the sample history of the demo into a local stack: `.venv/bin/python -m local.demo.history`.

Reads `Task` from stdin (pickle). Writes progress lines to stdout, {"done": 0.42, "what": "…"}, and then the
result of `write`. Everything goes through the product's own code, at the times of the history.
"""

from __future__ import annotations

import json
import math
import os
import pickle
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from local import direct, gateway
from local.demo import bulk, provider, receivers, world
from local.demo.product import Product, Refused
from local.demo.world import iso
from local.template import Function
from local.token import mint

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
INTEGRATIONS, EVENTS, AUTOMATIONS = "/api/integrations", "/api/events", "/api/automations"
WEBHOOKS, KEYS = f"{INTEGRATIONS}/webhooks", f"{INTEGRATIONS}/api-keys"
PORTAL, CONNECT = "/api/portal/sessions", "/api/connect/sessions"
WORKSPACE, PLATFORM, PUBLISHER = "demo", "platform", "harvest-labs"
MIN_HOURS = 8
# The history that `make demo` writes. An event with its deliveries takes about 20 ms of CPU, an hour 150 ms,
# and everything else 4 s; most of that is in the DynamoDB emulator.
HOURS, EVENT_COUNT, SEED = 25, 320, 18


@dataclass(frozen=True)
class Amount:
    """The amount of history: `events` over the last `hours`, and `rows` more events and deliveries of one
    webhook. The history ends at `now_ms`.
    """

    now_ms: int
    hours: int = HOURS
    events: int = EVENT_COUNT
    rows: int = 0
    seed: int = SEED
    workspace: str = WORKSPACE


@dataclass(frozen=True)
class Task:
    """The program's input: facts about a stack and the fakes."""

    amount: Amount
    state: Path
    environment: Mapping[str, str]
    api: gateway.Api
    functions: Mapping[str, Function]
    queues: Mapping[str, str]  # the function that each queue invokes, by the queue's URL
    receivers: str
    provider: str
    platform: str


@dataclass
class Ids:
    """The IDs of what the history created, by name."""

    webhooks: dict[str, str] = field(default_factory=dict)
    keys: dict[str, Any] = field(default_factory=dict)
    integrations: dict[str, str] = field(default_factory=dict)


# The types of public integrations, which need a provider that Patchbay knows. Nothing connects to them.
_TYPES = {
    "canva": "DESIGN_TOOL",
    "google": "MARKETING_AUTOMATION",
    "hubspot": "CRM",
    "pipedrive": "CRM",
    "slack": "CUSTOM",
    "x": "SOCIAL",
}

Say = Callable[[float, str], None]


class History:
    """The history of a workspace. Each method is one thing that someone does."""

    def __init__(self, product: Product, task: Task, say: Say) -> None:
        self._product, self._task, self._say = product, task, say
        self._random = Random(task.amount.seed)
        self._ids = Ids()
        self._end = task.amount.now_ms
        self._start = self._end - task.amount.hours * HOUR

    def write(self) -> None:
        """Write all of it."""
        self._plan_setup()
        self._plan_events()
        self._plan_incidents()
        self._plan_automations()
        self._plan_schedules()
        steps = 40
        self._product.run(self._start)
        if self._task.amount.rows:
            self._write_rows()
        for step in range(1, steps + 1):
            self._say(step / steps, "writing history")
            self._product.run(self._start + (self._end - self._start) * step // steps)

    @property
    def publisher(self) -> str:
        """The API key that publishes events."""
        return str(self._ids.keys["Publisher"]["key"])

    def _write_rows(self) -> None:
        url = f"{self._task.receivers}/good/firehose"
        body = {"name": bulk.NAME, "url": url, "eventTypes": ["ALERT_TRIGGERED"]}
        amount = self._task.amount
        bulk.write(
            self._product,
            self._webhook(body),
            url,
            amount.rows,
            start=self._start,
            end=self._end,
            seed=amount.seed,
            say=self._say,
        )

    # ── users ────────────────────────────────────────────────────────────────────────────────────────

    def _as(self, number: int, line: str, body: Any = None) -> Any:
        """Send a request as one of the sample users."""
        person = world.PEOPLE[number]
        return self._product.user(line, body, subject=person.id, role=person.role)

    def _owner(self, line: str, body: Any = None) -> Any:
        return self._as(0, line, body)

    def _admin(self, line: str, body: Any = None) -> Any:
        return self._as(1, line, body)

    def _member(self, line: str, body: Any = None) -> Any:
        return self._as(2, line, body)

    def _platform(self, line: str, body: Any = None) -> Any:
        return self._product.user(line, body, subject="svc_actions", role="owner", workspace=PLATFORM)

    def _publisher(self, line: str, body: Any = None) -> Any:
        return self._product.user(line, body, subject="usr_mila", role="owner", workspace=PUBLISHER)

    def _ago(
        self, action: Callable[[], object], *, days: float = 0, hours: float = 0, minutes: float = 0
    ) -> None:
        """Schedule the action for this long before the end."""
        ago = days * DAY + hours * HOUR + minutes * MINUTE
        self._product.at(self._end - round(ago), action)

    # ── resources ────────────────────────────────────────────────────────────────────────────────────

    def _plan_setup(self) -> None:
        self._ago(self._publish_for_others, days=24)
        self._ago(self._create_integrations, days=21)
        self._ago(self._create_keys, days=20)
        self._ago(self._create_webhooks, days=18)
        self._plan_flows()
        self._ago(self._connect, days=2)
        self._ago(lambda: self._owner("PUT /api/workspace", {"retainDays": 21}), days=15)
        self._ago(self._offer_own, days=6)
        self._ago(self._change_things, days=3)
        self._ago(self._open_sessions, hours=2.7)

    def _publish_for_others(self) -> None:
        """Public integrations of another workspace: approved, waiting for review, and rejected."""
        for name, service, text, decision in (
            ("Harvest Analytics", "google", "Reports that people read to the end.", "APPROVE"),
            ("Signal Lantern", "slack", "Lights up a channel when a post takes off.", "APPROVE"),
            ("Stencil Room", "canva", "Templates for posts, kept in one drawer.", "APPROVE"),
            ("Doorbell Board", "pipedrive", "Every message becomes a card on a board.", None),
            ("Follower Fountain", "x", "Grow overnight.", "REJECT"),
        ):
            body = {
                "name": name,
                "type": _TYPES[service],
                "description": text,
                "provider": service,
                "config": _public_client(service),
                "isPublic": True,
                "metadata": {"website": f"https://harvest-labs.example/{service}"},
            }
            made = self._publisher(f"POST {INTEGRATIONS}", body)
            self._ids.integrations[name] = made["id"]
            if decision:
                self._review(PUBLISHER, made["id"], decision, "Harvest Labs")

    def _review(self, workspace: str, id: str, decision: str, publisher: str) -> None:
        waiting = self._product.invoke("ReviewPublicationFunction")["waiting"]
        (entry,) = [each for each in waiting if each["integrationId"] == id]
        request = {
            "workspaceId": workspace,
            "integrationId": id,
            "version": entry["version"],
            "decision": decision,
        }
        if decision == "APPROVE":
            request |= {"publisherName": publisher, "verified": True}
        else:
            request["reviewReason"] = "Buys followers, which the networks forbid."
        self._product.invoke("ReviewPublicationFunction", request)

    def _client(self, service: str) -> dict[str, Any]:
        """The config of a custom OAuth provider: our fake one."""
        url = f"{self._task.provider}/{service}"
        return {
            "authorizationUrl": f"{url}/authorize",
            "tokenUrl": f"{url}/token",
            "revocationUrl": f"{url}/revoke",
            "clientId": "postloom",
            "clientSecret": f"{service}-client-secret",
            "redirectUris": [f"{self._task.platform}/callback"],
        }

    def _create_integrations(self) -> None:
        for name, kind, text, limits in (
            ("Chirrup", "SOCIAL", "Short posts and quick replies.", {"rateLimitPerHour": 2_000}),
            ("Larder CRM", "CRM", "Customers, orders and complaints.", {}),
            ("Postbird", "MARKETING_AUTOMATION", "The newsletter.", {"rateLimitPerDay": 5_000}),
            ("Ledgerline", "CUSTOM", "Book-keeping, until the end of the year.", {}),
        ):
            service = name.lower().replace(" ", "-")
            body = {
                "name": name,
                "type": kind,
                "description": text,
                "provider": service,
                "config": self._client(service),
                "scopes": ["posts:read", "posts:write"],
                **limits,
            }
            self._ids.integrations[name] = self._admin(f"POST {INTEGRATIONS}", body)["id"]
        studio = {"name": "Inkwell Studio", "type": "DESIGN_TOOL", "description": "Pictures and short films."}
        self._ids.integrations["Inkwell Studio"] = self._admin(f"POST {INTEGRATIONS}", studio)["id"]
        mail = {"name": "Mail for the shops", "type": "MARKETING_AUTOMATION", "provider": "mailchimp"}
        self._admin(f"POST {INTEGRATIONS}", mail)
        installed = self._admin(f"POST {INTEGRATIONS}/{self._ids.integrations['Harvest Analytics']}/install")
        self._ids.integrations["installed"] = installed["id"]
        ledger = self._ids.integrations["Ledgerline"]
        reason = {"status": "INACTIVE", "statusReason": "Back in January, with the new books."}
        self._ago(lambda: self._admin(f"PUT {INTEGRATIONS}/{ledger}/status", reason), days=5)

    def _connect(self) -> None:
        """Connections in each state, which depends on the provider's account."""
        ids = self._ids.integrations
        for integration, name, account in (
            ("Chirrup", "juniper", "acct_juniper"),
            ("Chirrup", "rye-lab", "acct_ryelab"),
            ("Chirrup", "old-team", "acct_former"),
            ("Larder CRM", "default", "acct_juniper"),
            ("Postbird", "default", "acct_shaky"),
        ):
            self._authorize(ids[integration], name, {"code": provider.direct_code(account)})
        self._authorize(ids["Larder CRM"], "second-shop", {"error": "access_denied"})
        key = {"credentials": {"apiKey": "ink-demo-key-00417"}}
        self._admin(f"POST {INTEGRATIONS}/{ids['Inkwell Studio']}/connections", key)

    def _authorize(self, id: str, name: str | None, answer: dict[str, str], token: str = "") -> None:
        """Run an OAuth flow with the provider's answer, for a member or someone with a connect link."""
        token = token or self._product.token(world.PEOPLE[2].id, world.PEOPLE[2].role)
        start = {"redirectUri": f"{self._task.platform}/callback", **({"connectionId": name} if name else {})}
        flow = self._product.call(f"POST {INTEGRATIONS}/{id}/oauth/initiate", start, token=token)
        callback = {"state": flow["state"], **answer}
        status, text = self._product.answer(f"POST {INTEGRATIONS}/oauth/callback", callback, token=token)
        if (status < 400) != ("code" in answer):
            raise Refused(f"callback: {status} {text}")

    def _create_keys(self) -> None:
        hour, day = "rateLimitPerHour", "rateLimitPerDay"
        publishing = ["events:publish", "events:read"]
        automations = ["automations:use", "events:read"]
        for name, scopes, more in (
            ("Publisher", publishing, {hour: 20_000, day: 200_000}),
            ("Nightly reports", ["analytics:read", "webhooks:read", "events:read"], {hour: 600}),
            ("Zapier", automations, {}),
            ("Make", automations, {}),
            ("n8n", automations, {}),
            ("Website widget", ["events:read", "posts:read"], {hour: 40, day: 400}),
            ("Build server", publishing, {}),
            ("Import of 2025", publishing, {}),
            ("Contractor", ["webhooks:read", "events:read"], {"expiresAt": iso(self._end + 4 * DAY)}),
            ("Trade fair", publishing, {"expiresAt": iso(self._end - 6 * DAY)}),
            ("Kiosk", ["events:read"], {"rotation": {"everyDays": 30}}),
        ):
            body = {"name": name, "scopes": scopes, **more}
            self._ids.keys[name] = self._admin(f"POST {KEYS}", body)

    def _create_webhooks(self) -> None:
        posts = ["POST_PUBLISHED", "POST_SCHEDULED", "POST_FAILED"]
        campaigns = ["CAMPAIGN_STARTED", "CAMPAIGN_COMPLETED"]
        approvals = ["APPROVAL_REQUESTED", "APPROVAL_COMPLETED"]
        unhappy = [{"path": "sentiment", "op": "in", "value": ["negative", "neutral"]}]
        crm = self._ids.integrations["Larder CRM"]
        for name, path, types, more in (
            ("Team chat", "good/team-chat", [*posts, *campaigns], {}),
            ("Data warehouse", "slow/warehouse", ["*"], {"retryConfig": {"schedule": "standard"}}),
            ("Support desk", "flaky/support", ["MESSAGE_RECEIVED", "CONVERSATION_ASSIGNED"], {}),
            ("CRM sync", "busy/crm", ["MENTION_RECEIVED"], {"filters": unhappy, "integrationId": crm}),
            ("Approvals bot", "odd/approvals", approvals, {"headers": {"X-Team": "content"}}),
            ("Ad reporting", "strict/ads", posts, {"disableAfter": 500, "rateLimitPerSecond": 5}),
            ("Storefront", "good/storefront", ["MENTION_RECEIVED", *campaigns], {"disableAfter": 200}),
            ("On-call pager", receivers.DOWN_URL, ["ALERT_TRIGGERED", "POST_FAILED"], {"disableAfter": 500}),
            ("Night archive", "good/archive", ["CONVERSATION_ASSIGNED", *approvals], {}),
            ("Legacy intranet", "gone/intranet", ["POST_PUBLISHED"], {}),
            ("Old newsletter", "good/newsletter", ["POST_PUBLISHED"], {}),
        ):
            url = path if path.startswith("http") else f"{self._task.receivers}/{path}"
            self._webhook({"name": name, "url": url, "eventTypes": types, **more})
        pull = {"kind": "pull", "name": "Reporting batch", "eventTypes": campaigns}
        self._webhook(pull)

    def _plan_flows(self) -> None:
        """Flows that run, stop at a filter, or wait, and one that is off."""
        for days, name, text, event_type, steps, status in (
            (14, "Campaign recap", "To be finished.", "CAMPAIGN_COMPLETED", _recap, "INACTIVE"),
            (13, "Failed posts", "The team hears why.", "POST_FAILED", _warn, "ACTIVE"),
            (12, "Unhappy mentions", "Tells support immediately.", "MENTION_RECEIVED", _care, "ACTIVE"),
        ):
            trigger = {"type": "event", "eventTypes": [event_type]}
            body = {"name": name, "description": text, "trigger": trigger, "status": status}
            self._ago(partial(self._create_flow, body, steps), days=days)

    def _create_flow(
        self, body: dict[str, Any], steps: Callable[[Mapping[str, str]], list[dict[str, Any]]]
    ) -> None:
        self._member("POST /api/flows", {**body, "steps": steps(self._ids.webhooks)})

    def _webhook(self, body: dict[str, Any]) -> str:
        id = str(self._admin(f"POST {WEBHOOKS}", body)["id"])
        self._ids.webhooks[body["name"]] = id
        return id

    def _offer_own(self) -> None:
        """A listed integration of this workspace, with a change that awaits review."""
        body = {
            "name": "Loaf Locator",
            "type": _TYPES["hubspot"],
            "description": "Shows which shop has which bread.",
            "provider": "hubspot",
            "config": _public_client("hubspot"),
            "scopes": ["oauth", "crm.objects.contacts.read"],
            "isPublic": True,
        }
        id = self._admin(f"POST {INTEGRATIONS}", body)["id"]
        self._review(WORKSPACE, id, "APPROVE", world.NAME)
        change = {
            "description": "Shows which shop has which bread, right under a post.",
            "scopes": ["oauth", "crm.objects.contacts.read", "crm.objects.companies.read"],
        }
        self._admin(f"PUT {INTEGRATIONS}/{id}", change)

    def _change_things(self) -> None:
        """Change webhooks and keys before the history begins."""
        webhooks, keys = self._ids.webhooks, self._ids.keys
        self._member(f"PUT {WEBHOOKS}/{webhooks['Old newsletter']}/status", {"status": "INACTIVE"})
        self._member(f"POST {WEBHOOKS}/{webhooks['Team chat']}/test")
        self._admin(f"POST {WEBHOOKS}/{webhooks['Storefront']}/rotate-secret", {"overlapSeconds": 86_400})
        self._admin(f"DELETE {KEYS}/{keys['Import of 2025']['id']}")
        ads = {"name": "Ad reporting", "filters": [{"path": "campaignId", "op": "exists"}]}
        self._member(f"PUT {WEBHOOKS}/{webhooks['Ad reporting']}", ads)

    def _open_sessions(self) -> None:
        """Portal sessions and connect links in each state."""
        for number, person in enumerate(world.PEOPLE):
            body = {"label": person.name, "returnUrl": f"{self._task.platform}/", "expiresIn": 28_800}
            session = self._as(number, f"POST {PORTAL}", body)
            if number < 3:
                code = session["link"].partition("#code=")[2]
                self._product.call(f"POST {PORTAL}/exchange", {"code": code}, token="")
            if number == 2:
                self._as(number, f"DELETE {PORTAL}/{session['id']}")
        chirrup, crm = (self._ids.integrations[name] for name in ("Chirrup", "Larder CRM"))
        for integrations, asked_by, what in (
            ([chirrup, crm], "Lucía Brandt", "open"),
            ([chirrup], "Teodor Vance", "completed"),
            ([crm], "Teodor Vance", "revoked"),
            ([crm], "Maren Oduya", "expired"),
        ):
            body = {"integrations": integrations, "workspaceName": world.NAME, "requestedBy": asked_by}
            body["expiresIn"] = 1_800 if what == "expired" else 5 * 86_400
            session = self._admin(f"POST {CONNECT}", body)
            if what == "completed":
                token = session["link"].partition("#")[2]
                self._authorize(chirrup, None, {"code": provider.direct_code("acct_ryelab")}, token)
            elif what == "revoked":
                self._admin(f"DELETE {CONNECT}/{session['id']}")

    # ── events ───────────────────────────────────────────────────────────────────────────────────────

    def _plan_events(self) -> None:
        """Events over the hours, more during the day than at night. Some are published as a batch."""
        weights = [_activity(self._start + hour * HOUR) for hour in range(self._task.amount.hours)]
        left = self._task.amount.events
        while left:
            (hour,) = self._random.choices(range(len(weights)), weights)
            at = self._start + hour * HOUR + self._random.randrange(HOUR)
            batch = min(left, self._random.randrange(3, 6) if self._random.random() < 0.12 else 1)
            self._product.at(at, partial(self._publish, batch))
            left -= batch
        self._ago(lambda: self._publish_kind("CAMPAIGN_STARTED"), hours=6.5)
        self._ago(lambda: self._publish_kind("CAMPAIGN_COMPLETED"), hours=2.2)
        self._ago(lambda: self._publish_kind("APPROVAL_REQUESTED"), minutes=25)
        self._ago(lambda: self._publish_kind("MENTION_RECEIVED"), minutes=4)
        self._ago(lambda: self._publish_kind("MESSAGE_RECEIVED"), minutes=1)

    def _publish(self, count: int) -> None:
        token = self.publisher
        now = iso(self._product.now)
        events = [world.event(self._random, now) for _ in range(count)]
        bodies = [{"type": kind, "data": data} for kind, data in events]
        if count == 1:
            self._product.call(f"POST {EVENTS}", bodies[0], token=token)
        else:
            self._product.call(f"POST {EVENTS}/batch", {"events": bodies}, token=token)
        self._product.counts["events"] += count

    def _publish_kind(self, kind: str) -> None:
        body = {"type": kind, "data": world.data(kind, self._random, iso(self._product.now))}
        self._product.call(f"POST {EVENTS}", body, token=self.publisher)
        self._product.counts["events"] += 1

    def _plan_incidents(self) -> None:
        """An outage with a recovery, a pause, replays, a manual retry, and keys in use."""
        ids = self._ids.webhooks
        fails_at, works_at = self._end - round(5.4 * HOUR), self._end - round(4.1 * HOUR)
        self._product.sender.outages.append(("good/storefront", fails_at, works_at))
        self._ago(lambda: self._recover(ids["Storefront"], fails_at - HOUR), hours=3.9)
        self._ago(lambda: self._replay(ids["Team chat"], 7, 6), hours=3)
        self._ago(lambda: self._replay(ids["Data warehouse"], 5, 4, cancel=True), hours=2.5)
        self._ago(lambda: self._retry(ids["Ad reporting"]), hours=2)
        paused = {"status": "PAUSED", "statusReason": "The archive moves to another disk."}
        self._ago(lambda: self._member(f"PUT {WEBHOOKS}/{ids['Night archive']}/status", paused), hours=3)
        self._ago(lambda: self._member(f"POST {WEBHOOKS}/{ids['Support desk']}/test"), hours=1.4)
        self._ago(self._add_laptop, minutes=50)
        self._ago(self._rotate_key, hours=1.1)
        self._ago(lambda: self._use("Website widget", 34), minutes=18)
        self._ago(lambda: self._use("Contractor", 6), hours=4)
        for hours in range(1, self._task.amount.hours, 3):
            self._ago(partial(self._use, "Nightly reports", 3), hours=hours + 0.3)

    def _recover(self, id: str, since: int) -> None:
        self._admin(f"POST {WEBHOOKS}/{id}/recover", {"since": iso(since)})

    def _replay(self, id: str, since: float, until: float, *, cancel: bool = False) -> None:
        body = {
            "since": iso(self._end - round(since * HOUR)),
            "until": iso(self._end - round(until * HOUR)),
            "statuses": ["DELIVERED", "FAILED"],
        }
        task = self._member(f"POST {WEBHOOKS}/{id}/replay", body)
        if cancel:
            self._member(f"POST /api/tasks/{task['id']}/cancel")
        else:
            self._sweep()

    def _retry(self, id: str) -> None:
        failed = self._member(f"GET {WEBHOOKS}/{id}/deliveries?status=FAILED&limit=1")["items"]
        for delivery in failed:
            self._member(f"POST {WEBHOOKS}/{id}/deliveries/{delivery['id']}/retry")

    def _add_laptop(self) -> None:
        self._webhook(
            {"kind": "pull", "name": "Teodor's laptop", "eventTypes": ["*"], "expiresInSeconds": 86_400}
        )

    def _rotate_key(self) -> None:
        self._admin(f"POST {KEYS}/{self._ids.keys['Build server']['id']}/rotate")

    def _use(self, key: str, times: int) -> None:
        for _ in range(times):
            self._product.answer("GET /api/me", token=self._ids.keys[key]["key"])

    # ── automations ──────────────────────────────────────────────────────────────────────────────────

    def _plan_automations(self) -> None:
        self._ago(self._subscribe, days=8)
        self._ago(self._offer_choices, days=8)
        for number, hours in enumerate((22, 17.5, 11, 7.2, 5.1, 3.3, 2.4, 1.2, 0.6)):
            self._ago(partial(self._start_run, number), hours=min(hours, self._task.amount.hours - 0.1))
        self._ago(lambda: self._start_run(-1), minutes=3)

    def _subscribe(self) -> None:
        filters = [{"path": "sentiment", "op": "equals", "value": "negative"}]
        for platform, event_type, path, more in (
            ("zapier", "POST_PUBLISHED", "good/zapier/hooks/4412/ab", {}),
            ("zapier", "MENTION_RECEIVED", "good/zapier/hooks/4412/cd", {"filters": filters}),
            ("make", "MESSAGE_RECEIVED", "good/make/9f2c", {}),
            ("n8n", "POST_FAILED", "good/n8n/webhook/71", {}),
        ):
            body = {"url": f"{self._task.receivers}/{path}", "eventType": event_type, **more}
            self._product.call(
                f"POST {AUTOMATIONS}/{platform}/hooks", body, token=self._automation_key(platform)
            )

    def _automation_key(self, platform: str) -> str:
        names = {"zapier": "Zapier", "make": "Make", "n8n": "n8n"}
        return str(self._ids.keys[names[platform]]["key"])

    def _offer_choices(self) -> None:
        accounts = [{"id": each.id, "label": f"{each.name} ({each.network})"} for each in world.ACCOUNTS]
        campaigns = [{"id": id, "label": name} for id, name in world.CAMPAIGNS]
        for resource, items in (("accounts", accounts), ("campaigns", campaigns)):
            body = {"workspaceId": self._task.amount.workspace, "items": items}
            self._platform(f"PUT /api/actions/choices/{resource}", body)

    def _start_run(self, number: int) -> None:
        """Start a run of an action. The platform answers it after some seconds, but never answers run -1."""
        platform, action, given, output = world.run(number % 60)
        callback = f"{self._task.receivers}/good/{platform}/callback"
        body = {"input": given, "callbackUrl": callback}
        token = self._automation_key(platform)
        run = self._product.call(f"POST {AUTOMATIONS}/{platform}/actions/{action}", body, token=token)
        if number < 0:
            return
        answer: dict[str, Any] = {"status": "SUCCEEDED", "output": output}
        if number in (2, 6):
            answer = {
                "status": "FAILED",
                "error": {"code": "account_disconnected", "detail": "The account must be connected again."},
            }
        at = self._product.now + self._random.randrange(2, 40) * SECOND
        self._product.at(at, partial(self._platform, f"PUT /api/actions/runs/{run['id']}", answer))

    # ── schedules ────────────────────────────────────────────────────────────────────────────────────

    def _plan_schedules(self) -> None:
        """The invocations by EventBridge Scheduler, with fewer sweeps and refreshes than in a deployment."""
        invoke = self._product.invoke
        first = self._start // HOUR * HOUR
        for hour in range(self._task.amount.hours + 1):
            at = first + hour * HOUR
            self._product.at(at + 16 * MINUTE, lambda: invoke("RollUpStatsFunction"))
            # Frequent at first, so that the account whose refreshes fail has failed for long enough.
            for minute in (7, 9, 14, 25, 46) if hour < 2 else (7,) if hour % 2 == 0 else ():
                self._product.at(at + minute * MINUTE, lambda: invoke("RefreshConnectionsFunction"))
            self._product.at(at + 44 * MINUTE, self._sweep)
            if hour % 6 == 1:
                self._product.at(at + 4 * MINUTE, lambda: invoke("ExpireKeysFunction"))
        self._product.at(self._end - 20 * SECOND, self._sweep)

    def _sweep(self) -> None:
        self._product.invoke("SweepDeliveriesFunction")
        self._product.invoke("SweepRunsFunction")


def _care(webhooks: Mapping[str, str]) -> list[dict[str, Any]]:
    unhappy = {"path": "event.data.sentiment", "op": "equals", "value": "negative"}
    popular = {"path": "event.data.network", "op": "in", "value": ["instagram", "x"]}
    ticket = {"text": "{{event.data.authorName}}: {{event.data.text}}", "url": "{{event.data.url}}"}
    return [
        {
            "id": "unhappy",
            "name": "Unhappy?",
            "type": "branch",
            "condition": [unhappy],
            "then": [_tell("ticket", "Open a ticket", webhooks["Support desk"], ticket)],
            "else": [
                {"id": "busy", "name": "Busy networks only", "type": "filter", "filters": [popular]},
                {"id": "later", "name": "Let it settle", "type": "wait", "seconds": 600},
                _tell("note", "Thank them later", webhooks["CRM sync"], ticket),
            ],
        }
    ]


def _warn(webhooks: Mapping[str, str]) -> list[dict[str, Any]]:
    text = {"text": "A post for {{event.data.network}} failed."}
    return [_tell("warn", "Tell the team", webhooks["Team chat"], text)]


def _recap(webhooks: Mapping[str, str]) -> list[dict[str, Any]]:
    day = {"id": "day", "name": "A day later", "type": "wait", "seconds": 86_400}
    return [
        day,
        _tell("recap", "Send the recap", webhooks["Team chat"], {"text": "{{event.data.name}} ended."}),
    ]


def _tell(id: str, name: str, webhook_id: str, data: dict[str, str]) -> dict[str, Any]:
    return {"id": id, "name": name, "type": "webhook", "webhookId": webhook_id, "data": data}


def _public_client(service: str) -> dict[str, Any]:
    """An OAuth client at a provider that Patchbay knows, with sample credentials."""
    return {"clientId": f"demo-{service}", "clientSecret": f"sample-secret-of-{service}"}


def _activity(at: int) -> float:
    """The level of activity at a time: highest at 14:00, lowest at 02:00 (UTC)."""
    hour = at % DAY / HOUR
    return 0.18 + (1 + math.cos((hour - 14) / 24 * 2 * math.pi)) ** 1.6


def write(task: Task, say: Say) -> dict[str, Any]:
    """Write the history. Returns its counts, and the API key that publishes."""
    with direct.environment(task.environment):
        product = Product(
            task.api,
            task.functions,
            task.queues,
            lambda workspace, subject, role: mint(task.state, workspace, role=role, subject=subject),
            task.amount.workspace,
            task.amount.now_ms - 25 * DAY,
            task.amount.seed,
        )
        history = History(product, task, say)
        history.write()
        counts = {**product.counts, "attempts": product.sender.attempts, "waiting": product.send_left()}
        return {"counts": counts, "publisher": history.publisher}


def main() -> int:
    task: Task = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own parent
    out = os.fdopen(os.dup(1), "w")
    with open(os.devnull, "w") as null:
        os.dup2(null.fileno(), 1)  # functions print metrics

    def say(done: float, what: str) -> None:
        print(json.dumps({"done": round(done, 3), "what": what}), file=out, flush=True)

    print(json.dumps(write(task, say)), file=out, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
