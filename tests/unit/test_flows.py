"""The parts of flows that need no AWS: values, the choice of the next step, states, and valid definitions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from patchbay.api_model import validate
from patchbay.deliveries.states import Blocked, Obsolete
from patchbay.errors import ValidationFailed
from patchbay.flows import states, turn, values
from patchbay.flows.models import CreateFlow, FlowDefinition
from patchbay.flows.stored import StepResult, StoredFlow, StoredRun
from patchbay.ids import EventId, FlowId, RunId
from patchbay.publishing.flow_message import FlowMessage

NOW = 1_772_443_800_000
CONTENT = {
    "event": {
        "id": "evt_1",
        "data": {"text": "Hi {{event.id}}", "n": 1.5, "list": [{"a": True}], "none": None},
    },
    "steps": {"first": {"output": {"id": 7}}},
}


# ── values ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "filled"),
    [
        ("plain", "plain"),
        ("{{event.data.n}}", 1.5),
        ("{{ event.data.list }}", [{"a": True}]),
        ("{{event.data.list.0.a}}", True),
        ("{{steps.first.output.id}}", 7),
        ("{{event.data.none}}", None),
        ("n is {{event.data.n}}, a is {{event.data.list.0.a}}", "n is 1.5, a is true"),
        ("[{{event.data.none}}]", "[]"),
        ("all: {{event.data.list}}", 'all: [{"a":true}]'),
        # Inserted values are not templates.
        ("{{event.data.text}}", "Hi {{event.id}}"),
        ("<{{event.data.text}}>", "<Hi {{event.id}}>"),
        ("{{{event.data.n}}}", "{1.5}"),
        ("{ {event.data.n} }", "{ {event.data.n} }"),
        ({"a": ["{{event.data.n}}", {"b": "{{event.id}}"}]}, {"a": [1.5, {"b": "evt_1"}]}),
        (12, 12),
    ],
)
def test_values_are_filled_in(given: Any, filled: Any) -> None:
    assert values.fill(given, CONTENT, 10_000) == (filled, [])


def test_values_that_do_not_exist_are_null_and_named_once() -> None:
    given = {"a": "{{event.data.x}}", "b": "<{{event.data.x}}>", "c": "{{steps.first.output.y.z}}"}
    filled, missing = values.fill(given, CONTENT, 10_000)
    assert filled == {"a": None, "b": "<>", "c": None}
    assert missing == ["event.data.x", "steps.first.output.y.z"]


@pytest.mark.parametrize("given", ["{{event.data.text}}" * 500, ["{{event.data}}"] * 100, {"x" * 2_000: 1}])
def test_values_stop_at_the_limit(given: Any) -> None:
    with pytest.raises(values.TooLarge):
        values.fill(given, CONTENT, 1_000)


def test_search_for_expressions_is_linear() -> None:
    text = "{{" * 100_000 + "a" * 100_000 + "}" * 100_000
    assert len(list(values.paths(text))) <= 1
    assert len(list(values.paths("{{a" * 100_000))) == 0


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("event", "an event has event.data"),
        ("event.headers.x", "an event has event.data"),
        ("data.x", "start with event. or steps."),
        ("steps.first", "use the step's output, such as steps.first.output"),
        ("steps.later.output.x", "is not a step before this one"),
        ("steps.firts.output.x", "did you mean `first`?"),
        ("", "is not a valid path"),
        ("event.data." + ".".join("abcdefgh"), "is not a valid path"),
        ("__class__", "start with event. or steps."),
    ],
)
def test_paths_that_nothing_can_have_are_refused(path: str, message: str) -> None:
    with pytest.raises(ValueError, match="}}") as error:
        values.check_path(path, {"first"})
    assert message in str(error.value)


# ── definitions ──────────────────────────────────────────────────────────────────────────────────────

TRIGGER = {"type": "event", "eventTypes": ["POST_PUBLISHED"]}


def wait(id: str) -> dict[str, Any]:
    return {"id": id, "type": "wait", "seconds": 1}


def waits(name: str, count: int) -> list[dict[str, Any]]:
    return [wait(f"{name}{number}") for number in range(count)]


def branch(id: str, then: list[Any], **more: Any) -> dict[str, Any]:
    condition = [{"path": "event.data.network", "op": "equals", "value": "x"}]
    return {"id": id, "type": "branch", "condition": condition, "then": then, **more}


def nested(depth: int) -> dict[str, Any]:
    inner = [nested(depth - 1)] if depth > 1 else [wait("innermost")]
    return branch(f"b{depth}", inner)


def action(id: str, **input: Any) -> dict[str, Any]:
    return {"id": id, "type": "action", "action": "create_campaign", "input": input}


def refusal(*steps: Any, **more: Any) -> str:
    body = {"name": "f", "trigger": TRIGGER, "steps": list(steps), **more}
    with pytest.raises(ValidationFailed) as refused:
        validate(CreateFlow, body)
    return refused.value.detail


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([], "steps: must not be empty"),
        ([wait(f"s{at}") for at in range(21)], "at most 20"),
        ([branch("b", waits("t", 12), **{"else": waits("e", 12)})],
         "at most 20 steps in total; this one has 25"),
        ([wait("a"), branch("b", [wait("a")])], "step IDs must be unique in the flow; a is used twice"),
        ([nested(4)], "branches can be nested at most 3 levels deep; b1 is deeper"),
        ([branch("b", [])], "steps.0.then: must not be empty"),
        ([wait("A")], "1 to 32 lowercase letters"),
        ([{**wait("a"), "seconds": 0}], "must be at least 1"),
        ([{**wait("a"), "seconds": 2_592_001}], "must be at most 2592000"),
        ([{"id": "a", "type": "script"}], "steps.0"),
        ([{"id": "a", "type": "filter", "filters": []}], "steps.0.filters: must not be empty"),
        ([action("a", name="{{steps.a.output.x}}")], "step a: {{steps.a.output.x}}: there is no previous"),
        ([branch("b", [wait("t")], **{"else": [action("e", name="{{steps.t.output.x}}")]})],
         "step e: {{steps.t.output.x}}: is not a step before this one"),
        ([{**action("a"), "action": "create_campain"}], "did you mean `create_campaign`?"),
        ([action("a", name="x" * 70_000)], "at most 65536 bytes"),
    ],
)  # fmt: skip
def test_definition_is_checked(steps: list[Any], message: str) -> None:
    assert message in refusal(*steps)


def test_steps_after_a_branch_may_use_what_either_side_returned() -> None:
    """The results of the side that was not taken are null."""
    steps = [branch("b", [wait("t")], **{"else": [wait("e")]}), action("a", name="{{steps.e.output.x}}")]
    flow = validate(CreateFlow, {"name": "f", "trigger": TRIGGER, "steps": steps})
    assert [step.id for step in flow.steps] == ["b", "a"]


def test_largest_definition_is_accepted() -> None:
    steps = [nested(3), *(wait(f"s{at}") for at in range(16))]
    flow = validate(CreateFlow, {"name": "f", "trigger": TRIGGER, "steps": steps})
    assert FlowDefinition(trigger=flow.trigger, steps=flow.steps).to_json()["steps"][0]["else"] == []


# ── turns ────────────────────────────────────────────────────────────────────────────────────────────

EVENT = {"id": "evt_1", "type": "POST_PUBLISHED", "timestamp": "t", "data": {"network": "x"}}


def done(id: str, **output: Any) -> StepResult:
    return StepResult(id=id, type="wait", status="SUCCEEDED", startedAt=NOW, output=output)


def test_turn_passes_branches_to_the_next_step_that_does_something() -> None:
    definition = {
        "steps": [
            branch("b", [branch("c", [wait("t")], **{"else": []}), wait("u")], **{"else": []}),
            wait("z"),
        ]
    }
    visited, results = [], []  # type: ignore[var-annotated]
    while (position := turn.advance(definition, results, EVENT, NOW)).step is not None:
        visited.append(position.step["id"])
        results = [*position.results, done(position.step["id"])]
    assert visited == ["t", "u", "z"]
    assert position.ended == "SUCCEEDED"
    assert [result["id"] for result in position.results] == ["b", "c", "t", "u", "z"]


def test_turn_takes_the_other_side_and_an_empty_side() -> None:
    event = {**EVENT, "data": {"network": "y"}}
    definition = {
        "steps": [branch("b", [wait("t")], **{"else": [wait("e")]}), branch("c", [wait("u")], **{"else": []})]
    }
    position = turn.advance(definition, (), event, NOW)
    assert position.step is not None
    assert position.step["id"] == "e"
    end = turn.advance(definition, [*position.results, done("e")], event, NOW)
    assert (end.step, end.ended) == (None, "SUCCEEDED")


def test_turn_reads_outputs_of_earlier_steps() -> None:
    only = {
        "id": "f",
        "type": "filter",
        "filters": [{"path": "steps.a.output.n", "op": "equals", "value": 1}],
    }
    for n, ended in ((1, "SUCCEEDED"), (2, "STOPPED")):
        position = turn.advance({"steps": [wait("a"), only]}, [done("a", n=n)], EVENT, NOW)
        assert position.ended == ended


# ── states ───────────────────────────────────────────────────────────────────────────────────────────

FLOW = StoredFlow(
    workspace_id="acme", id=FlowId.new(NOW), name="f", description="", status="ACTIVE",
    definition={"steps": [wait("a")]}, scopes=(),
    created_by="u", saved_by="u", created_at=NOW, updated_at=NOW,
)  # fmt: skip
MESSAGE = FlowMessage("acme", FLOW.id, EventId.new(NOW), "c")


def begun() -> StoredRun:
    key = f"acme#{FLOW.id}"
    return states.begun(FLOW, MESSAGE, key=key, event_type="T", depth=0, now=NOW, ttl=1)


def at(sequence: int) -> FlowMessage:
    return replace(MESSAGE, sequence=sequence)


def test_message_is_taken_once_for_each_turn() -> None:
    assert states.check_message(None, MESSAGE, NOW) is None
    leased = states.claimed(begun(), now=NOW, until=NOW + 45_000)
    assert states.check_message(leased, MESSAGE, NOW) == Blocked(NOW + 45_000)
    assert states.check_message(leased, MESSAGE, NOW + 45_000) is None
    # The next message arrives before the turn is recorded.
    assert isinstance(states.check_message(leased, at(1), NOW), Blocked)
    moved = states.moved_on(leased, [done("a")], "b", now=NOW, ttl=1)
    assert isinstance(states.check_message(moved, MESSAGE, NOW), Obsolete)
    assert states.check_message(moved, at(1), NOW) is None
    ended = states.ended(moved, [], "SUCCEEDED", reason=None, step=None, now=NOW, ttl=1)
    assert isinstance(states.check_message(ended, at(2), NOW), Obsolete)
    assert (ended.due_at, ended.due_shard, ended.lease_until) == (None, None, None)


def test_wait_blocks_until_its_end_and_an_action_does_not() -> None:
    leased = states.claimed(begun(), now=NOW, until=NOW + 45_000)
    pause: StepResult = {**done("a"), "status": "WAITING"}
    waits = states.waiting(leased, [pause], resumes_at=NOW + 60_000, due_at=NOW + 60_000, now=NOW, ttl=1)
    assert states.check_message(waits, at(1), NOW + 59_999) == Blocked(NOW + 60_000)
    assert states.check_message(waits, at(1), NOW + 60_000) is None
    asks: StepResult = {**pause, "runId": RunId.new(NOW)}
    waits = states.waiting(leased, [asks], resumes_at=NOW + 60_000, due_at=NOW + 60_000, now=NOW, ttl=1)
    assert states.check_message(waits, at(1), NOW) is None
    still = states.still_waiting(states.claimed(waits, now=NOW, until=NOW + 45_000), now=NOW)
    assert (still.sequence, still.status, still.claims) == (waits.sequence, "WAITING", 0)
    assert states.check_message(still, at(1), NOW) is None


def test_claims_of_one_turn_share_its_time_and_records_begin_another() -> None:
    first = states.claimed(begun(), now=NOW + 5, until=NOW + 45_000)
    second = states.claimed(first, now=NOW + 50_000, until=NOW + 95_000)
    assert (first.turn_at, second.turn_at, second.claims) == (NOW, NOW, 2)
    moved = states.moved_on(second, [], "b", now=NOW + 60_000, ttl=1)
    assert (moved.turn_at, moved.claims, moved.sequence) == (NOW + 60_000, 0, 1)


def test_open_run_is_always_due() -> None:
    leased = states.claimed(begun(), now=NOW, until=NOW + 45_000)
    moved = states.moved_on(leased, [], "b", now=NOW, ttl=1)
    assert leased.due_at == NOW + 45_000 + states.RESEND_AFTER_MS
    assert moved.due_at == NOW + states.RESEND_AFTER_MS
    assert None not in (leased.due_shard, moved.due_shard)


def test_erased_run_has_no_content() -> None:
    leased = states.claimed(begun(), now=NOW, until=NOW + 45_000)
    asks: StepResult = {**done("a", secret="s"), "status": "WAITING", "input": {"x": "s"}, "runId": "run_1"}
    waits = states.waiting(leased, [asks], resumes_at=NOW, due_at=NOW, now=NOW, ttl=1)
    erased = states.erased(waits, NOW + 1)
    assert (erased.status, erased.reason, erased.version) == ("CANCELLED", "event_erased", waits.version + 1)
    assert erased.results == [
        {"id": "a", "type": "wait", "status": "STOPPED", "startedAt": NOW, "endedAt": NOW + 1}
    ]
    again = states.erased(erased, NOW + 2)
    assert (again.status, again.sequence, again.version) == ("CANCELLED", erased.sequence, erased.version + 1)
