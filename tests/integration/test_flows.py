"""Flows from the event to the last step: each step runs once, whatever crashes in between."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from patchbay.catalogue import flow_templates
from patchbay.catalogue.entries import load_entry
from patchbay.clock import from_ms, iso
from patchbay.ids import EventId, FlowId, FlowRunId, WebhookId
from tests.catalogued import POST
from tests.conftest import LAMBDA_CONTEXT, Answer, jwt_for
from tests.faults import Source, dying, failing, killed, meanwhile
from tests.integration.conftest import WEBHOOKS, Pipeline
from tests.problems import assert_problem
from tests.receivers import Answer as Reply
from tests.receivers import Receiver, receiver

FLOWS = "/api/flows"
TRIGGER = {"type": "event", "eventTypes": ["POST_PUBLISHED"], "filters": []}
CAMPAIGN = {"campaignId": "cmp_1", "name": "Spring"}


def create_campaign(id: str = "ask", **more: Any) -> dict[str, Any]:
    return {"id": id, "type": "action", "action": "create_campaign", "input": {"name": "Spring"}, **more}


def wait(seconds: int, id: str = "pause") -> dict[str, Any]:
    return {"id": id, "type": "wait", "seconds": seconds}


def equals(path: str, value: object) -> dict[str, Any]:
    return {"path": path, "op": "equals", "value": value}


def pages(id: str, path: str, value: object) -> dict[str, Any]:
    return {"id": id, "type": "filter", "filters": [equals(path, value)]}


class Flows:
    """A workspace with flows, a webhook that they send to, and the platform that carries out actions."""

    def __init__(self, pipeline: Pipeline, team: Receiver, platform: Receiver) -> None:
        self.pipeline, self.team, self.platform = pipeline, team, platform
        self.api = pipeline.api
        self.queue = Source(pipeline.backend, "FlowsQueue", "workers.run_flows.handler", pipeline.clock)
        self._sweep = importlib.import_module("workers.sweep_runs").handler
        self.webhook = pipeline.webhook(team.url, eventTypes=["POST_FAILED"])["id"]
        body = {"name": "actions", "url": platform.url, "eventTypes": ["ACTION_REQUESTED"]}
        assert self.as_platform(f"POST {WEBHOOKS}", json=body).status == 201

    def as_platform(self, line: str, **options: Any) -> Answer:
        claims = {"exp": self.pipeline.clock.now // 1000 + 600}
        return self.pipeline._api(line, token=jwt_for("platform", claims=claims), **options)

    def tell(self, id: str = "tell", **data: Any) -> dict[str, Any]:
        """A step that sends `data` to the team's webhook, or the event's data if there is no `data`."""
        step = {"id": id, "type": "webhook", "webhookId": self.webhook}
        return {**step, "data": data} if data else step

    def create(self, *steps: dict[str, Any], status: int = 201, **more: Any) -> Any:
        body = {"name": "flow", "trigger": TRIGGER, "steps": list(steps), **more}
        answer = self.api(f"POST {FLOWS}", json=body)
        assert answer.status == status, answer.text
        return answer.json()

    def sweep(self) -> int:
        return int(self._sweep({}, LAMBDA_CONTEXT)["seen"])

    def settle(self) -> None:
        """Let the workers process messages until none is visible."""
        while self.queue.poll() + self.pipeline.events.poll() + self.pipeline.poll():
            pass

    def minutes(self, count: int) -> None:
        """Let time pass, with running workers and a sweep every minute."""
        for _ in range(count):
            self.pipeline.clock.move(60)
            self.sweep()
            self.pipeline.sweep()
            self.settle()

    def answer(self, run: str, body: Any = None) -> None:
        body = body or {"status": "SUCCEEDED", "output": CAMPAIGN}
        answer = self.as_platform(f"PUT /api/actions/runs/{run}", json=body)
        assert answer.status == 200, answer.text

    def run(self, flow: Any, event: str) -> Any:
        id = FlowRunId.derived(EventId(event), FlowId(flow["id"]))
        answer = self.api(f"GET {FLOWS}/{flow['id']}/runs/{id}")
        assert answer.status == 200, answer.text
        return answer.json()

    @property
    def told(self) -> list[Any]:
        """The bodies that the team's webhook got, one per message, because a delivery may arrive twice."""
        return list({each.headers["webhook-id"]: each.json() for each in self.team.requests}.values())

    @property
    def asked(self) -> list[Any]:
        """The events that asked the platform for actions."""
        return [request.json() for request in self.platform.requests]


@pytest.fixture
def flows(pipeline: Pipeline) -> Iterator[Flows]:
    with receiver() as team, receiver() as platform:
        yield Flows(pipeline, team, platform)


# ── steps ────────────────────────────────────────────────────────────────────────────────────────────


def test_event_runs_the_steps_of_a_flow(flows: Flows) -> None:
    flow = flows.create(
        flows.tell(
            text="{{event.data.network}}: {{event.data.text}}",
            whole="{{event.data.postId}}",
            source={"id": "{{ event.id }}", "type": "{{event.type}}"},
            nothing="{{event.data.nothing}}",
        )
    )
    event = flows.pipeline.publish({"network": "instagram", "text": "Spring {{event.id}}", "postId": "p1"})
    flows.settle()
    (told,) = flows.told
    assert told["type"] == "FLOW_SENT"
    assert told["data"] == {
        # A `{{...}}` in the data of an event is never evaluated.
        "text": "instagram: Spring {{event.id}}",
        "whole": "p1",
        "source": {"id": event, "type": "POST_PUBLISHED"},
        "nothing": None,
    }
    run = flows.run(flow, event)
    assert (run["status"], run["statusReason"], run["step"], run["depth"]) == ("SUCCEEDED", None, None, 0)
    (step,) = run["steps"]
    assert (step["status"], step["input"]) == ("SUCCEEDED", told["data"])
    assert step["output"]["eventId"] == told["id"]
    assert run["definition"] == {"trigger": flow["trigger"], "steps": flow["steps"]}
    sent = flows.api(f"GET /api/events/{told['id']}").json()
    assert (sent["source"], sent["depth"], sent["causedBy"]) == ("flow", 1, event)
    assert sent["unmatched"] == []
    (delivery,) = sent["deliveries"]
    assert (delivery["id"], delivery["webhookId"], delivery["status"]) == (
        *(step["output"]["deliveryId"], flows.webhook, "DELIVERED"),
    )
    source = flows.api(f"GET /api/events/{event}").json()
    assert source["flows"] == [{"flowId": flow["id"], "runId": run["id"]}]
    (listed,) = flows.api(f"GET {FLOWS}/{flow['id']}/runs?status=SUCCEEDED").json()["items"]
    assert listed == {name: value for name, value in run.items() if name not in ("definition", "steps")}
    assert flows.api(f"GET {FLOWS}/{flow['id']}/runs?status=FAILED").json()["items"] == []
    # Nothing is left to do, and the run is in no index.
    flows.minutes(20)
    assert len(flows.told) == 1
    assert not any("dueAt" in row for row in flows.pipeline.backend.rows("FlowsTable"))


def test_webhook_step_without_data_sends_the_events_data(flows: Flows) -> None:
    flow = flows.create(flows.tell())
    event = flows.pipeline.publish({"text": "x" * 100_000, "n": 1.10})
    flows.settle()
    (told,) = flows.told
    assert told["data"] == flows.api(f"GET /api/events/{event}").json()["data"]
    assert flows.run(flow, event)["steps"][0]["input"] is None


def test_filter_stops_a_run_and_says_why(flows: Flows) -> None:
    flow = flows.create(pages("only", "event.data.network", "x"), flows.tell())
    event = flows.pipeline.publish({"network": "instagram"})
    flows.settle()
    run = flows.run(flow, event)
    assert (run["status"], run["step"]) == ("STOPPED", "only")
    assert run["statusReason"] == 'filter `event.data.network` equals "x": the event has "instagram"'
    assert [step["status"] for step in run["steps"]] == ["STOPPED"]
    assert flows.told == []


@pytest.mark.parametrize(("network", "expected"), [("x", ["on x", "end"]), ("y", ["not on x", "end"])])
def test_branch_takes_one_side_and_goes_on(flows: Flows, network: str, expected: list[str]) -> None:
    branch = {
        "id": "which",
        "type": "branch",
        "condition": [equals("event.data.network", "x")],
        "then": [flows.tell("yes", text="on x")],
        "else": [flows.tell("no", text="not on x")],
    }
    flow = flows.create(
        branch, pages("known", "steps.which.output.matched", network == "x"), flows.tell("z", text="end")
    )
    event = flows.pipeline.publish({"network": network})
    flows.settle()
    assert [told["data"]["text"] for told in flows.told] == expected
    run = flows.run(flow, event)
    assert run["status"] == "SUCCEEDED"
    assert [step["id"] for step in run["steps"]] == ["which", "yes" if network == "x" else "no", "known", "z"]
    assert run["steps"][0]["output"] == {"matched": network == "x"}


def test_action_step_waits_for_the_platform(flows: Flows) -> None:
    ask = create_campaign(input={"name": "About {{event.data.postId}}", "brief": "{{event.data.nothing}}"})
    flow = flows.create(ask, flows.tell(campaign="{{steps.ask.output.campaignId}}"))
    event = flows.pipeline.publish({"postId": "p1"})
    flows.settle()
    (asked,) = flows.asked
    assert (asked["type"], asked["data"]["platform"]) == ("ACTION_REQUESTED", "flow")
    assert asked["data"]["input"] == {"name": "About p1"}
    run = flows.run(flow, event)
    assert (run["status"], run["step"], run["resumesAt"]) == ("WAITING", "ask", asked["data"]["expiresAt"])
    flows.minutes(3)
    assert flows.told == []
    flows.answer(asked["data"]["runId"])
    flows.settle()
    assert [told["data"] for told in flows.told] == [{"campaign": "cmp_1"}]
    run = flows.run(flow, event)
    assert run["status"] == "SUCCEEDED"
    assert run["steps"][0]["output"] == CAMPAIGN
    (listed,) = flows.api("GET /api/automations/runs").json()["items"]
    assert (listed["platform"], listed["createdBy"], listed["status"]) == ("flow", flow["id"], "SUCCEEDED")


def test_action_that_fails_fails_the_run(flows: Flows) -> None:
    flow = flows.create(create_campaign(), flows.tell())
    event = flows.pipeline.publish()
    flows.settle()
    error = {"code": "no_budget", "detail": "There is no budget left."}
    flows.answer(flows.asked[0]["data"]["runId"], {"status": "FAILED", "error": error})
    flows.settle()
    run = flows.run(flow, event)
    assert (run["status"], run["statusReason"], run["step"]) == ("FAILED", "no_budget", "ask")
    assert run["steps"][0]["error"] == error
    assert flows.told == []


def test_action_that_is_never_answered_fails_the_run(flows: Flows) -> None:
    flow = flows.create(create_campaign())
    event = flows.pipeline.publish()
    flows.settle()
    flows.minutes(16)
    run = flows.run(flow, event)
    assert (run["status"], run["statusReason"]) == ("FAILED", "timed_out")


@pytest.mark.parametrize("seconds", [1, 600, 900, 901, 3 * 86_400])
def test_wait_takes_as_long_as_it_says(flows: Flows, seconds: int) -> None:
    flow = flows.create(wait(seconds), flows.tell())
    event = flows.pipeline.publish()
    flows.settle()
    run = flows.run(flow, event)
    assert (run["status"], run["step"]) == ("WAITING", "pause")
    flows.pipeline.clock.move(seconds - 1)
    flows.sweep()
    flows.settle()
    assert flows.told == []
    flows.pipeline.clock.move(2)
    flows.sweep()
    flows.settle()
    assert len(flows.told) == 1
    assert flows.run(flow, event)["status"] == "SUCCEEDED"


def test_invalid_input_fails_the_run_before_the_platform_is_asked(flows: Flows) -> None:
    flow = flows.create(create_campaign(input={"name": "{{event.data.nothing}}"}))
    event = flows.pipeline.publish()
    flows.settle()
    run = flows.run(flow, event)
    assert (run["status"], run["statusReason"]) == ("FAILED", "invalid_input")
    assert run["steps"][0]["error"]["detail"] == "input.name: is missing"
    assert flows.asked == []


def test_values_cannot_grow_without_bound(flows: Flows) -> None:
    flow = flows.create(flows.tell(many=["{{event.data}}"] * 1_000))
    event = flows.pipeline.publish({"text": "x" * 200_000})
    flows.settle()
    run = flows.run(flow, event)
    assert (run["status"], run["statusReason"]) == ("FAILED", "input_too_large")


@pytest.mark.parametrize("status", ["INACTIVE", "deleted"])
def test_webhook_that_is_gone_fails_the_run(flows: Flows, status: str) -> None:
    flow = flows.create(flows.tell())
    if status == "deleted":
        assert flows.api(f"DELETE {WEBHOOKS}/{flows.webhook}").status == 200
    else:
        assert flows.api(f"PUT {WEBHOOKS}/{flows.webhook}/status", json={"status": status}).status == 200
    event = flows.pipeline.publish()
    flows.settle()
    run = flows.run(flow, event)
    assert (run["status"], run["statusReason"]) == ("FAILED", f"webhook_{status.lower()}")


def test_receiver_that_fails_is_the_delivery_engines_business(flows: Flows) -> None:
    with receiver([Reply(500), Reply(200)]) as flaky:
        step = {
            **flows.tell(),
            "webhookId": flows.pipeline.webhook(flaky.url, eventTypes=["POST_FAILED"])["id"],
        }
        flow = flows.create(step)
        event = flows.pipeline.publish()
        flows.settle()
        assert flows.run(flow, event)["status"] == "SUCCEEDED"
        flows.pipeline.run()
        first, second = flaky.requests
        assert first.json() == second.json()
    assert {row["status"] for row in flows.pipeline.rows} == {"DELIVERED"}


# ── the trigger ──────────────────────────────────────────────────────────────────────────────────────


def test_trigger_matches_types_and_filters(flows: Flows) -> None:
    only_x = {**TRIGGER, "filters": [equals("network", "x")]}
    flow = flows.create(flows.tell(), trigger=only_x)
    flows.create(flows.tell(), status=201, trigger={**TRIGGER, "eventTypes": ["POST_FAILED"]})
    for network in ("x", "y"):
        flows.pipeline.publish({"network": network})
    flows.settle()
    assert [told["data"]["network"] for told in flows.told] == ["x"]
    changed = flows.api(
        f"PUT {FLOWS}/{flow['id']}", json={"trigger": {**only_x, "filters": [equals("network", "y")]}}
    )
    assert changed.json()["version"] == 2
    for network in ("x", "y"):
        flows.pipeline.publish({"network": network})
    flows.settle()
    assert [told["data"]["network"] for told in flows.told] == ["x", "y"]


def test_inactive_flow_starts_nothing(flows: Flows) -> None:
    created = flows.api(
        f"POST {FLOWS}",
        json={"name": "off", "status": "INACTIVE", "trigger": TRIGGER, "steps": [flows.tell()]},
    ).json()
    flows.pipeline.publish()
    flows.settle()
    assert flows.told == []
    on = flows.api(f"PUT {FLOWS}/{created['id']}/status", json={"status": "ACTIVE"}).json()
    assert on["status"] == "ACTIVE"
    flows.pipeline.publish()
    flows.settle()
    assert len(flows.told) == 1


@pytest.mark.parametrize("change", ["INACTIVE", "deleted"])
def test_flow_that_ends_cancels_runs_that_wait(flows: Flows, change: str) -> None:
    flow = flows.create(wait(600), flows.tell())
    event = flows.pipeline.publish()
    flows.settle()
    if change == "deleted":
        assert flows.api(f"DELETE {FLOWS}/{flow['id']}").status == 200
        assert flows.api(f"GET {FLOWS}/{flow['id']}").status == 404
    else:
        flows.api(f"PUT {FLOWS}/{flow['id']}/status", json={"status": change, "statusReason": "holidays"})
    flows.minutes(11)
    run = flows.run(flow, event)
    assert (run["status"], run["statusReason"]) == ("CANCELLED", f"flow_{change.lower()}")
    assert [step["status"] for step in run["steps"]] == ["STOPPED"]
    assert flows.told == []


def test_run_keeps_the_definition_that_it_began_with(flows: Flows) -> None:
    flow = flows.create(wait(600), flows.tell(text="old"))
    event = flows.pipeline.publish()
    flows.settle()
    flows.api(f"PUT {FLOWS}/{flow['id']}", json={"steps": [flows.tell(text="new")]})
    flows.minutes(11)
    assert [told["data"]["text"] for told in flows.told] == ["old"]
    assert flows.run(flow, event)["flowVersion"] == 1


# ── templates ────────────────────────────────────────────────────────────────────────────────────────

TEMPLATES = f"{FLOWS}/templates"
KEYS = flow_templates.all_keys()


def install(flows: Flows, key: str, **more: Any) -> Answer:
    return flows.api(f"POST {TEMPLATES}/{key}/install", **more)


def templates(flows: Flows) -> dict[str, Any]:
    return {each["key"]: each for each in flows.api(f"GET {TEMPLATES}").json()["items"]}


def test_templates_of_the_marketplace_that_only_send_have_a_flow(flows: Flows) -> None:
    listings = flows.api("GET /api/integrations/marketplace?limit=100").json()["items"]
    plans = [each["metadata"]["template"] for each in listings if "template" in each["metadata"]]
    assert len(plans) == 12
    assert {plan["key"]: plan["flow"] for plan in plans if "flow" in plan} == {
        "alert_to_pagerduty": "critical_alerts",
        "campaign_completed_to_sheet": "campaign_results",
        "conversation_assigned_to_teams": "assigned_conversations",
        "message_to_zendesk_ticket": "direct_messages",
        "post_failed_to_email": "failed_posts",
        "post_published_to_slack": "published_posts",
    }
    assert templates(flows).keys() == set(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_template_becomes_a_flow_that_runs_in_one_request(flows: Flows, key: str) -> None:
    template = templates(flows)[key]
    choices = {
        choice["key"]: flows.webhook if choice["type"] == "webhook" else f"one of {choice['resource']}"
        for choice in template["choices"]
    }
    answer = install(flows, key, json={"choices": choices})
    assert answer.status == 201, answer.text
    flow = answer.json()
    assert answer.headers["location"] == f"{FLOWS}/{flow['id']}"
    assert (flow["name"], flow["description"]) == (template["name"], template["description"])
    assert (flow["status"], flow["scopes"]) == ("ACTIVE", template["scopes"])
    assert flow["trigger"] == template["trigger"]
    assert "{{choices" not in json.dumps(flow["steps"])

    (event_type,) = flow["trigger"]["eventTypes"]
    data = {**load_entry(event_type).sample, **wanted_by(flow)}
    dry = {"trigger": flow["trigger"], "steps": flow["steps"], "data": data}
    tried = flows.api(f"POST {FLOWS}/dry-run", json=dry).json()
    assert (tried["matches"], tried["status"]) == (True, "SUCCEEDED")
    assert [step["missing"] for step in tried["steps"]] == [[]] * len(flow["steps"])
    published = flows.api("POST /api/events", json={"type": event_type, "data": data})
    assert published.status == 202, published.text
    flows.settle()
    run = flows.run(flow, published.json()["id"])
    would_get = {step["id"]: step["input"] for step in tried["steps"]}
    assert {step["id"]: step.get("input") for step in run["steps"]}.items() <= would_get.items()
    # The other flows wait for a day or for the platform.
    only_sends = {step["type"] for step in flow["steps"]} <= {"filter", "webhook"}
    assert run["status"] == ("SUCCEEDED" if only_sends else "WAITING")
    sent = [told["data"] for told in flows.told if told["type"] == "FLOW_SENT"]
    assert sent == [step["input"] for step in run["steps"] if step["type"] == "webhook"]


def wanted_by(flow: dict[str, Any]) -> dict[str, Any]:
    """The fields that an event needs to pass all filters of a flow."""
    filters = [*flow["trigger"]["filters"]]
    filters += [each for step in flow["steps"] for each in step.get("filters", ())]
    return {each["path"].removeprefix("event.data."): each["value"] for each in filters}


def test_template_is_installed_with_other_settings_and_once(flows: Flows) -> None:
    body = {
        "choices": {"webhook": flows.webhook},
        "name": "Ours",
        "description": "For the crew",
        "status": "INACTIVE",
    }
    flow, again = (
        install(flows, "failed_posts", json=body, headers={"idempotency-key": "one"}).json() for _ in range(2)
    )
    assert flow == again
    assert {name: flow[name] for name in body if name != "choices"} == {
        name: value for name, value in body.items() if name != "choices"
    }
    assert len(flows.api(f"GET {FLOWS}").json()["items"]) == 1


def test_choices_of_a_template_are_checked(flows: Flows) -> None:
    pull = {"kind": "pull", "name": "Feed", "eventTypes": ["POST_FAILED"]}
    feed = flows.api("POST /api/integrations/webhooks", json=pull).json()["id"]
    (foreign,) = flows.as_platform(f"GET {WEBHOOKS}").json()["items"]
    for choices, text in (
        ({}, "is missing. Alert webhook: The receiver that notifies people about problems."),
        ({"webhook": "evt_1"}, "must be whk_ followed by 22 letters or digits"),
        ({"webhook": WebhookId.new()}, "there is no webhook whk_"),
        ({"webhook": foreign["id"]}, "there is no webhook whk_"),
        ({"webhook": feed}, "is a pull webhook"),
    ):
        answer = install(flows, "failed_posts", json={"choices": choices})
        assert_problem(answer, 422, paths=["choices.webhook"])
        assert text in answer.json()["errors"][0]["message"]
    other = {"webhook": flows.webhook, "webhok": "a"}
    assert_problem(install(flows, "failed_posts", json={"choices": other}), 422, paths=["choices.webhok"])
    for account in ("", "{{event.data.accountId}}", "a\u200bb"):
        answer = install(flows, "campaign_thanks", json={"choices": {"account": account}})
        assert_problem(answer, 422, paths=["choices.account"])
    unknown = assert_problem(install(flows, "failed_post", json={}), 404)
    assert "did you mean `failed_posts`" in unknown["detail"]
    assert flows.api(f"GET {FLOWS}").json()["items"] == []


def test_template_needs_the_rights_of_its_steps(flows: Flows) -> None:
    for key, choices, scope in (
        ("failed_posts", {"webhook": flows.webhook}, "webhooks:write"),
        ("campaign_thanks", {"account": "acc_1"}, "automations:use"),
    ):
        line, body = f"POST {TEMPLATES}/{key}/install", {"choices": choices}
        assert templates(flows)[key]["scopes"] == [scope]
        assert scope in assert_problem(as_caller(flows, line, "flows:write", json=body), 403)["detail"]
        assert as_caller(flows, line, f"flows:write {scope}", json=body).status == 201


# ── the latest runs ──────────────────────────────────────────────────────────────────────────────────


def test_list_has_the_latest_runs_on_request(flows: Flows) -> None:
    """Without runs, the list takes one call; with runs, one more per flow. Runs do not write to flows."""
    failing = flows.create(create_campaign(input={"name": "{{event.data.nothing}}"}), name="failing")
    unused = flows.create(wait(1), name="unused", trigger={**TRIGGER, "eventTypes": ["POST_FAILED"]})
    ended = flows.create(flows.tell(), name="good", trigger=TRIGGER)
    for number in range(12):
        flows.pipeline.clock.move(1)
        last = flows.pipeline.publish({"postId": f"p{number}"})
        flows.settle()
    calls = flows.pipeline.backend.calls
    calls.clear()
    plain = flows.api(f"GET {FLOWS}").json()["items"]
    assert calls.count == {"dynamodb.Query": 1}
    assert [each["recentRuns"] for each in plain] == [None] * 3
    assert {each["version"] for each in plain} == {1}
    calls.clear()
    items = flows.api(f"GET {FLOWS}?include=recentRuns").json()["items"]
    assert calls.count == {"dynamodb.Query": 1 + 3}
    recent = {each["id"]: each["recentRuns"] for each in items}
    assert recent[unused["id"]] == {"count": 0, "failed": 0, "last": None}
    assert (recent[failing["id"]]["count"], recent[failing["id"]]["failed"]) == (10, 10)
    assert (recent[ended["id"]]["count"], recent[ended["id"]]["failed"]) == (10, 0)
    newest = flows.api(f"GET {FLOWS}/{ended['id']}/runs?limit=1").json()["items"]
    assert [recent[ended["id"]]["last"]] == newest
    assert newest[0]["eventId"] == last
    (read,) = [each for each in items if each["id"] == ended["id"]]
    sent_back = flows.api(f"PUT {FLOWS}/{ended['id']}", json={**read, "name": "renamed"})
    assert sent_back.status == 200, sent_back.text
    assert_problem(flows.api(f"GET {FLOWS}?include=runs"), 422, paths=["include"])


# ── dry runs ─────────────────────────────────────────────────────────────────────────────────────────


def dry_run(flows: Flows, *steps: Any, status: int = 200, **more: Any) -> Any:
    answer = flows.api(f"POST {FLOWS}/dry-run", json={"trigger": TRIGGER, "steps": list(steps), **more})
    assert answer.status == status, answer.text
    return answer.json()


def test_dry_run_shows_every_step_and_sends_nothing(flows: Flows) -> None:
    before = {table: flows.pipeline.backend.rows(table) for table in ("FlowsTable", "EventsTable")}
    branch = {
        "id": "which",
        "type": "branch",
        "condition": [equals("steps.ask.output.name", "Spring menu")],
        "then": [flows.tell("yes", text="{{event.data.nothing}} {{event.data.network}}")],
        "else": [flows.tell("no")],
    }
    shown = dry_run(flows, wait(60), create_campaign(), branch, data={**POST, "network": "x"})
    assert (shown["matches"], shown["detail"], shown["status"]) == (True, None, "SUCCEEDED")
    assert shown["event"]["data"]["network"] == "x"
    steps = {step["id"]: step for step in shown["steps"]}
    assert [*steps] == ["pause", "ask", "which", "yes", "no"]
    assert steps["ask"]["input"] == {"name": "Spring"}
    matched = steps["which"]["output"]["matched"]
    taken, skipped = ("yes", "no") if matched else ("no", "yes")
    assert (steps[taken]["status"], steps[skipped]["status"]) == ("SUCCEEDED", "SKIPPED")
    assert steps["yes"]["missing"] == (["event.data.nothing"] if matched else [])
    assert flows.told == flows.asked == []
    assert {table: flows.pipeline.backend.rows(table) for table in before} == before


def test_dry_run_says_why_nothing_happens(flows: Flows) -> None:
    other = dry_run(flows, wait(1), eventType="POST_FAILED")
    assert (other["matches"], other["detail"]) == (False, "The flow does not start for POST_FAILED.")
    only_x = {**TRIGGER, "filters": [equals("network", "x")]}
    filtered = dry_run(flows, wait(1), trigger=only_x, data={**POST, "network": "y"})
    assert filtered["detail"] == 'filter `network` equals "x": the event has "y"'
    assert (filtered["status"], filtered["steps"][0]["status"]) == (None, "SKIPPED")
    stopped = dry_run(flows, pages("only", "event.data.network", "zz"), flows.tell())
    assert [step["status"] for step in stopped["steps"]] == ["STOPPED", "SKIPPED"]
    assert stopped["status"] == "STOPPED"
    failing = dry_run(flows, create_campaign(input={"name": "{{event.data.nothing}}"}), flows.tell())
    assert [step["status"] for step in failing["steps"]] == ["FAILED", "SKIPPED"]
    assert failing["steps"][0]["error"]["code"] == "invalid_input"


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("steps", "trigger", "message"),
    [
        ([wait(1)], {"filters": [equals("netwrok", "x")]}, "did you mean `network`?"),
        ([pages("f", "event.data.netwrok", "x")], {}, "did you mean `network`?"),
        ([wait(1)], {"eventTypes": ["ACTION_REQUESTED"]}, "only the platform's workspace"),
        ([wait(1)], {"eventTypes": ["POST_PUBLISHD"]}, "did you mean `POST_PUBLISHED`?"),
        ([create_campaign(input={})], {}, "step ask: input.name is missing"),
        (
            [create_campaign(input={"name": "x", "breif": "y"})],
            {},
            "has no input breif; did you mean `brief`?",
        ),
        ([create_campaign(input={"name": 1})], {}, "input.name: must be a string"),
        ([create_campaign(input={"name": "{{event.dat.x}}"})], {}, "an event has event.data"),
        (
            [{"id": "t", "type": "webhook", "webhookId": "whk_0355OOyfmJo93vsM6y1y7k"}],
            {},
            "there is no webhook",
        ),
    ],
)
def test_definition_that_can_never_work_is_refused(
    flows: Flows, steps: list[Any], trigger: dict[str, Any], message: str
) -> None:
    body = {"name": "f", "trigger": {**TRIGGER, **trigger}, "steps": steps}
    assert message in assert_problem(flows.api(f"POST {FLOWS}", json=body), 422)["detail"]
    assert not any(row["id"].startswith("flw_") for row in flows.pipeline.backend.rows("FlowsTable"))


def test_step_cannot_send_to_a_pull_webhook(flows: Flows) -> None:
    pull = {"kind": "pull", "name": "p", "eventTypes": ["POST_PUBLISHED"]}
    id = flows.api(f"POST {WEBHOOKS}", json=pull).json()["id"]
    body = {"name": "f", "trigger": TRIGGER, "steps": [{**flows.tell(), "webhookId": id}]}
    assert "is a pull webhook" in assert_problem(flows.api(f"POST {FLOWS}", json=body), 422)["detail"]


# ── crashes ──────────────────────────────────────────────────────────────────────────────────────────


def test_worker_that_crashes_at_any_call_does_each_step_once(flows: Flows) -> None:
    branch = {
        "id": "which",
        "type": "branch",
        "condition": [equals("steps.ask.output.campaignId", "cmp_1")],
        "then": [flows.tell("yes", text="yes {{event.data.postId}}")],
    }
    flow = flows.create(
        flows.tell("first", text="first {{event.data.postId}}"), create_campaign(), wait(60), branch
    )
    died, calls = True, 0
    while died:
        calls += 1
        event = flows.pipeline.publish({"postId": f"p{calls}"})
        before = len(flows.asked)
        with dying(calls) as process:
            flows.queue.poll()
            flows.queue.poll()
        died = process.died
        flows.minutes(8)
        asked = [each["data"]["runId"] for each in flows.asked[before:]]
        assert len(set(asked)) == 1
        with dying(calls):
            flows.answer(asked[0])
        flows.answer(asked[0])  # the platform repeats a request that got no response
        with dying(calls):
            flows.queue.poll()
        flows.minutes(10)
        run = flows.run(flow, event)
        assert (run["status"], run["statusReason"]) == ("SUCCEEDED", None)
        assert [step["id"] for step in run["steps"]] == ["first", "ask", "pause", "which", "yes"]
        told = [each["data"]["text"] for each in flows.told]
        assert [text for text in told if text.endswith(f" p{calls}")] == [f"first p{calls}", f"yes p{calls}"]
    assert calls >= 8


def test_sweep_that_crashes_at_any_call_continues_runs_later(flows: Flows) -> None:
    flow = flows.create(wait(3_600), flows.tell(text="{{event.data.postId}}"))
    died, calls = True, 0
    while died:
        calls += 1
        event = flows.pipeline.publish({"postId": f"p{calls}"})
        flows.settle()
        flows.pipeline.clock.move(3_601)
        with dying(calls) as process:
            flows.sweep()
        died = process.died
        flows.minutes(8)
        assert flows.run(flow, event)["status"] == "SUCCEEDED"
        assert [told["data"]["text"] for told in flows.told].count(f"p{calls}") == 1
    assert calls >= 4


def test_publish_that_crashes_at_any_call_starts_one_run(flows: Flows) -> None:
    flow = flows.create(flows.tell(text="{{event.data.postId}}"))
    died, calls = True, 0
    while died:
        calls += 1
        body = {"type": "POST_PUBLISHED", "data": {**POST, "postId": f"p{calls}"}}
        once = {"Idempotency-Key": f"k{calls}"}
        with dying(calls) as process:
            flows.api("POST /api/events", json=body, headers=once)
        died = process.died
        answer = flows.api("POST /api/events", json=body, headers=once)
        assert answer.status == 202
        flows.settle()
        assert flows.run(flow, answer.json()["id"])["status"] == "SUCCEEDED"
        assert [told["data"]["text"] for told in flows.told].count(f"p{calls}") == 1
    assert calls >= 4


def test_lost_message_of_the_next_step_is_sent_by_the_sweeper(flows: Flows) -> None:
    flow = flows.create(flows.tell("one"), flows.tell("two"))
    event = flows.pipeline.publish()
    with failing("sqs.SendMessage", where="flow_id"):
        flows.queue.poll()
    assert flows.run(flow, event)["step"] == "two"
    flows.minutes(9)
    assert flows.run(flow, event)["status"] == "SUCCEEDED"
    assert len(flows.told) == 2


def test_two_workers_with_a_message_take_one_turn(flows: Flows) -> None:
    flow = flows.create(flows.tell())
    event = flows.pipeline.publish()
    (record,) = flows.queue.receive()
    with meanwhile("dynamodb.PutItem", lambda: flows.queue._handler({"Records": [record]}, LAMBDA_CONTEXT)):
        failed = flows.queue.invoke([record])
    assert failed == [record["messageId"]]
    flows.minutes(2)
    run = flows.run(flow, event)
    assert (run["status"], run["version"]) == ("SUCCEEDED", 2)
    assert len(flows.told) == 1


def test_answer_that_is_faster_than_the_record_is_not_lost(flows: Flows) -> None:
    """The action ends before the flow records that it is waiting."""
    flow = flows.create(create_campaign(), flows.tell())
    event = flows.pipeline.publish()

    def answer() -> None:
        flows.pipeline.events.poll()
        flows.pipeline.poll()
        flows.answer(flows.asked[0]["data"]["runId"])
        flows.queue.poll()

    with meanwhile("dynamodb.PutItem", answer, at=3):
        flows.queue.poll()
    flows.minutes(3)
    assert flows.run(flow, event)["status"] == "SUCCEEDED"
    assert len(flows.told) == 1


def test_turn_that_always_kills_its_worker_fails_the_run(flows: Flows) -> None:
    flow = flows.create(flows.tell())
    event = flows.pipeline.publish()
    for _ in range(10):
        with killed("sqs.SendMessageBatch"):
            flows.queue.poll()
        flows.pipeline.clock.move(400)
        flows.sweep()
    flows.minutes(10)
    run = flows.run(flow, event)
    assert (run["status"], run["statusReason"]) == ("FAILED", "internal")


def test_unreadable_message_goes_to_the_dead_letter_queue(flows: Flows) -> None:
    flows.queue.send("garbage")
    flows.queue.poll()
    assert [record["body"] for record in flows.pipeline.backend.messages("FlowsDeadLetterQueue")] == [
        "garbage"
    ]


# ── limits ───────────────────────────────────────────────────────────────────────────────────────────


def test_flows_that_start_each_other_end(flows: Flows) -> None:
    flow = flows.create(create_campaign())
    event = flows.pipeline.publish()
    depths = []
    for _ in range(8):
        flows.settle()
        run = flows.run(flow, event)
        depths.append(run["depth"])
        if run["status"] == "FAILED":
            break
        asked = flows.asked[-1]
        flows.answer(asked["data"]["runId"])
        # The platform performs the action, which causes an event that starts the flow again.
        caused = {"type": "POST_PUBLISHED", "data": POST, "workspaceId": "acme", "causedBy": asked["id"]}
        answer = flows.as_platform("POST /api/events", json=caused)
        assert answer.status == 202, answer.text
        event = answer.json()["id"]
    assert depths == [0, 1, 2, 3, 4, 5]
    assert (run["status"], run["statusReason"], run["steps"]) == ("FAILED", "loop", [])
    assert len(flows.asked) == 5


@pytest.mark.parameters(MaxEventsPerMinute=2)
def test_steps_above_the_ceiling_wait(flows: Flows) -> None:
    flow = flows.create(flows.tell("one"), flows.tell("two"), flows.tell("three"))
    event = flows.pipeline.publish()
    flows.settle()
    assert flows.run(flow, event)["status"] == "RUNNING"
    flows.minutes(5)
    assert flows.run(flow, event)["status"] == "SUCCEEDED"
    assert len(flows.told) == 3


def test_workspace_has_a_ceiling_of_flows(flows: Flows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("patchbay.flows.store.MAX_FLOWS", 2)
    first = flows.create(flows.tell())
    flows.create(flows.tell())
    body = {"name": "third", "trigger": TRIGGER, "steps": [flows.tell()]}
    assert "at most" in assert_problem(flows.api(f"POST {FLOWS}", json=body), 409)["detail"]
    assert flows.api(f"DELETE {FLOWS}/{first['id']}").status == 200
    flows.create(flows.tell())


# ── rights and isolation ─────────────────────────────────────────────────────────────────────────────


def as_caller(flows: Flows, line: str, scope: str, **options: Any) -> Answer:
    claims = {"exp": flows.pipeline.clock.now // 1000 + 600}
    return flows.pipeline._api(line, token=jwt_for("acme", scope=scope, claims=claims), **options)


def test_nobody_saves_a_step_that_they_could_not_do(flows: Flows) -> None:
    def save(scope: str, *steps: Any) -> Answer:
        return as_caller(
            flows, f"POST {FLOWS}", scope, json={"name": "f", "trigger": TRIGGER, "steps": list(steps)}
        )

    assert "webhooks:write" in assert_problem(save("flows:write", flows.tell()), 403)["detail"]
    assert (
        "automations:use"
        in assert_problem(save("flows:write webhooks:write", flows.tell(), create_campaign()), 403)["detail"]
    )
    saved = save("flows:write webhooks:write", flows.tell()).json()
    assert saved["scopes"] == ["webhooks:write"]
    path = f"{FLOWS}/{saved['id']}"
    # Changing the steps or the trigger, or activating what someone else saved, needs the same scopes.
    for body in ({"steps": [create_campaign()]}, {"trigger": {**TRIGGER, "eventTypes": ["*"]}}):
        assert_problem(as_caller(flows, f"PUT {path}", "flows:write", json=body), 403)
    off = {"status": "INACTIVE"}
    assert as_caller(flows, f"PUT {path}/status", "flows:write", json=off).status == 200
    assert_problem(as_caller(flows, f"PUT {path}/status", "flows:write", json={"status": "ACTIVE"}), 403)
    # Changing the name does not count as saving a step.
    assert (
        as_caller(flows, f"PUT {path}", "flows:write", json={"name": "new"}).json()["savedBy"]
        == saved["savedBy"]
    )


def test_step_without_its_scope_fails(flows: Flows) -> None:
    """A later release may need a scope that the author of an old flow did not have."""
    flow = flows.create(flows.tell())
    row = next(row for row in flows.pipeline.backend.rows("FlowsTable") if row["id"] == flow["id"])
    flows.pipeline.backend.client("dynamodb").update_item(
        TableName=flows.pipeline.backend.environment["FLOWS_TABLE"],
        Key={"flowsKey": {"S": row["flowsKey"]}, "id": {"S": row["id"]}},
        UpdateExpression="SET scopes = :none",
        ExpressionAttributeValues={":none": {"L": []}},
    )
    event = flows.pipeline.publish()
    flows.settle()
    run = flows.run(flow, event)
    assert (run["status"], run["statusReason"]) == ("FAILED", "forbidden")
    assert flows.told == []


def test_other_workspace_sees_and_starts_nothing(flows: Flows) -> None:
    flow = flows.create(flows.tell())
    event = flows.pipeline.publish()
    flows.settle()
    run = flows.run(flow, event)
    claims = {"exp": flows.pipeline.clock.now // 1000 + 600}
    stranger = jwt_for("globex", claims=claims)

    def call(line: str, **options: Any) -> Answer:
        return flows.pipeline._api(line, token=stranger, **options)

    path = f"{FLOWS}/{flow['id']}"
    for line in (f"GET {path}", f"GET {path}/runs", f"GET {path}/runs/{run['id']}", f"DELETE {path}"):
        assert_problem(call(line), 404)
    assert_problem(call(f"PUT {path}", json={"name": "mine"}), 404)
    assert_problem(call(f"PUT {path}/status", json={"status": "INACTIVE"}), 404)
    assert call(f"GET {FLOWS}").json()["items"] == []
    # A flow cannot send to a webhook of another workspace.
    body = {"name": "f", "trigger": TRIGGER, "steps": [flows.tell()]}
    assert "no webhook" in assert_problem(call(f"POST {FLOWS}", json=body), 422)["detail"]
    # Events of one workspace do not start flows of another.
    published = call("POST /api/events", json={"type": "POST_PUBLISHED", "data": POST})
    assert published.status == 202
    flows.settle()
    assert len(flows.told) == 1


def test_replay_and_other_webhooks_leave_alone_what_a_flow_sent(flows: Flows) -> None:
    flows.create(flows.tell())
    with receiver() as everything:
        webhook = flows.pipeline.webhook(everything.url, eventTypes=["*"])
        since = flows.pipeline.clock.now
        event = flows.pipeline.publish()
        flows.settle()
        assert [request.json()["id"] for request in everything.requests] == [event]
        flows.pipeline.clock.move(1)
        replay = {"since": iso(from_ms(since)), "missing": True, "dryRun": True}
        preview = flows.api(f"POST {WEBHOOKS}/{webhook['id']}/replay", json=replay)
        assert preview.json() == {"total": 0, "isComplete": True}


# ── erasure ──────────────────────────────────────────────────────────────────────────────────────────


def test_erased_event_takes_what_flows_made_of_it(flows: Flows) -> None:
    secret = "a secret of the person"
    flow = flows.create(
        flows.tell(text="{{event.data.text}}"),
        create_campaign(input={"name": "{{event.data.text}}"}),
        flows.tell("after", text="{{event.data.text}}"),
    )
    event = flows.pipeline.publish({"text": secret})
    flows.settle()
    assert flows.api(f"DELETE /api/events/{event}/data").status == 200
    run = flows.run(flow, event)
    assert (run["status"], run["statusReason"]) == ("CANCELLED", "event_erased")
    for table in ("FlowsTable", "DeliveriesTable"):
        assert secret not in str(flows.pipeline.backend.rows(table))
    # The platform keeps the data of the action that it was asked for.
    assert {
        row["workspaceId"] for row in flows.pipeline.backend.rows("EventsTable") if secret in str(row)
    } <= {"platform"}
    assert secret not in str(flows.pipeline.backend.rows("AutomationsTable"))
    flows.answer(flows.asked[0]["data"]["runId"])
    flows.minutes(20)
    assert len(flows.told) == 1
    assert flows.api(f"DELETE /api/events/{event}/data").status == 200


def test_erased_event_whose_run_has_ended_keeps_its_states(flows: Flows) -> None:
    flow = flows.create(flows.tell(text="{{event.data.text}}"))
    event = flows.pipeline.publish({"text": "a secret of the person"})
    flows.settle()
    assert flows.api(f"DELETE /api/events/{event}/data").status == 200
    run = flows.run(flow, event)
    assert run["status"] == "SUCCEEDED"
    assert [(step["status"], step["input"], step["output"]) for step in run["steps"]] == [
        ("SUCCEEDED", None, None)
    ]
    for table in ("FlowsTable", "DeliveriesTable", "EventsTable"):
        assert "a secret" not in str(flows.pipeline.backend.rows(table))
