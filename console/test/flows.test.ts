import assert from "node:assert/strict";
import { test } from "node:test";
import type { FlowTemplate } from "@sdk/generated/models";
import { check } from "../src/features/flows/model/check";
import {
  allSteps,
  type Branch,
  type Draft,
  draftOf,
  findStep,
  isSame,
  located,
  MAX_STEPS,
  type Place,
  placeOf,
  type Step,
  stepsBefore,
} from "../src/features/flows/model/definition";
import { canAdd, canMove, type Edit, type Editor, edit, startEditor } from "../src/features/flows/model/edit";
import { END, graphOf, TRIGGER } from "../src/features/flows/model/graph";
import { fromJson, toJson } from "../src/features/flows/model/json";
import { locate } from "../src/features/flows/model/problems";
import { draftFrom } from "../src/features/flows/model/templates";
import { filled, insertAt, stepSample, valueGroups } from "../src/features/flows/model/values";

const wait = (id: string): Step => ({ id, type: "wait", seconds: 60 });
const branch = (id: string, then: Step[], otherwise: Step[] = []): Branch => ({
  id,
  type: "branch",
  condition: [{ path: "event.data.network", op: "equals", value: "x" }],
  then,
  else: otherwise,
});
const draftWith = (...steps: Step[]): Draft => ({
  name: "Test",
  description: "",
  trigger: { type: "event", eventTypes: ["POST_FAILED"], filters: [] },
  steps,
});
const top = (index: number): Place => ({ branch: null, side: "then", index });
const order = (editor: Editor) => allSteps(editor.draft.steps).map(({ id }) => id);
const run = (draft: Draft, ...edits: Edit[]) => edits.reduce(edit, startEditor(draft));
const nested = draftWith(wait("a"), branch("b", [wait("c")], [wait("d")]), wait("e"));

test("a step is added where it should be, and is selected", () => {
  const first = run(nested, { type: "add", step: "wait", place: top(0) });
  assert.deepEqual(order(first), ["wait", "a", "b", "c", "d", "e"]);
  assert.deepEqual(first.selection, { step: "wait" });
  const inside = run(nested, { type: "add", step: "filter", place: { branch: "b", side: "else", index: 1 } });
  assert.deepEqual(order(inside), ["a", "b", "c", "d", "filter", "e"]);
  assert.deepEqual(placeOf(inside.draft.steps, "filter"), { branch: "b", side: "else", index: 1 });
});

test("an ID is free, whatever is there", () => {
  const editor = run(draftWith(wait("wait"), wait("wait_2")), { type: "add", step: "wait", place: top(2) });
  assert.deepEqual(order(editor), ["wait", "wait_2", "wait_3"]);
});

test("no more steps than the API takes, and no deeper", () => {
  const full = draftWith(...Array.from({ length: MAX_STEPS }, (_, at) => wait(`w${at}`)));
  const editor = startEditor(full);
  assert.equal(edit(editor, { type: "add", step: "wait", place: top(0) }), editor);
  assert.equal(edit(editor, { type: "duplicate", id: "w0" }), editor);
  const deep = draftWith(branch("one", [branch("two", [branch("three", [wait("x")])])]), branch("other", [wait("y")]));
  const inside: Place = { branch: "three", side: "then", index: 0 };
  assert.equal(canAdd(deep.steps, "branch", inside), false);
  assert.equal(canAdd(deep.steps, "wait", inside), true);
  assert.equal(canMove(deep.steps, "other", inside), false);
  assert.equal(canMove(deep.steps, "one", inside), false, "into itself");
});

test("a step moves down through a branch, and back up", () => {
  let editor = startEditor(nested);
  const seen = [order(editor).join("")];
  for (let times = 0; times < 5; times++) {
    editor = edit(editor, { type: "shift", id: "a", by: 1 });
    const { branch: around, side, index } = placeOf(editor.draft.steps, "a") as Place;
    seen.push(`${order(editor).join("")} ${around ?? "-"} ${side} ${index}`);
  }
  assert.deepEqual(seen, [
    "abcde",
    "bacde b then 0",
    "bcade b then 1",
    "bcade b else 0",
    "bcdae b else 1",
    "bcdae - then 1",
  ]);
  for (let times = 0; times < 5; times++) editor = edit(editor, { type: "shift", id: "a", by: -1 });
  assert.deepEqual(editor.draft, nested);
  assert.equal(edit(editor, { type: "shift", id: "a", by: -1 }), editor, "already first");
});

test("a move goes to the place that was meant, also in the same list", () => {
  const steps = draftWith(wait("a"), wait("b"), wait("c"));
  assert.deepEqual(order(run(steps, { type: "move", id: "a", place: top(3) })), ["b", "c", "a"]);
  assert.deepEqual(order(run(steps, { type: "move", id: "c", place: top(0) })), ["c", "a", "b"]);
  assert.deepEqual(order(run(steps, { type: "move", id: "b", place: top(2) })), ["a", "b", "c"]);
});

test("a removed branch takes its steps with it, and what is next is selected", () => {
  const editor = run(nested, { type: "remove", id: "b" });
  assert.deepEqual(order(editor), ["a", "e"]);
  assert.deepEqual(editor.selection, { step: "e" });
  assert.deepEqual(run(nested, { type: "remove", id: "c" }).selection, { step: "b" });
  assert.equal(run(draftWith(wait("a")), { type: "remove", id: "a" }).selection, "trigger");
});

const using = draftWith(
  { id: "reply", type: "action", action: "reply_to_message", input: { text: "{{event.data.text}}" } },
  branch("b", [
    {
      id: "tell",
      type: "webhook",
      webhookId: "whk_1",
      data: { id: "reply", type: "x", text: "{{ steps.reply.output.messageId }} {{steps.reply_2.output.x}}" },
    },
  ]),
  { id: "stop", type: "filter", filters: [{ path: "steps.reply.output.messageId", op: "exists", value: true }] },
);

test("a renamed step is renamed where its output is used, and nowhere else", () => {
  const { draft } = run(using, { type: "rename", id: "reply", to: "answer" });
  const tell = findStep(draft.steps, "tell") as Extract<Step, { type: "webhook" }>;
  assert.deepEqual(tell.data, {
    id: "reply",
    type: "x",
    text: "{{ steps.answer.output.messageId }} {{steps.reply_2.output.x}}",
  });
  const stop = findStep(draft.steps, "stop") as Extract<Step, { type: "filter" }>;
  assert.equal(stop.filters[0]?.path, "steps.answer.output.messageId");
  const editor = startEditor(using);
  for (const to of ["stop", "Reply", "", "a b"])
    assert.equal(edit(editor, { type: "rename", id: "reply", to }), editor);
});

test("a duplicate has IDs of its own, and uses its own outputs", () => {
  const inner = draftWith(
    branch("b", [
      { id: "act", type: "action", action: "create_post", input: {} },
      { id: "go_on", type: "filter", filters: [{ path: "steps.act.output.postId", op: "exists" }] },
    ]),
  );
  const { draft, selection } = run(inner, { type: "duplicate", id: "b" });
  assert.deepEqual(
    allSteps(draft.steps).map(({ id }) => id),
    ["b", "act", "go_on", "b_2", "act_2", "go_on_2"],
  );
  assert.equal(
    (findStep(draft.steps, "go_on_2") as Extract<Step, { type: "filter" }>).filters[0]?.path,
    "steps.act_2.output.postId",
  );
  assert.deepEqual(selection, { step: "b_2" });
});

test("undo and redo go through all edits, and typing is one of them", () => {
  const rename = (name: string): Edit => ({ type: "settings", settings: { name } });
  let editor = run(nested, rename("T"), rename("Te"), rename("Tes"), { type: "remove", id: "a" }, rename("Test 2"));
  const last = editor.draft;
  editor = edit(editor, { type: "undo" });
  assert.equal(editor.draft.name, "Tes");
  editor = edit(editor, { type: "undo" });
  assert.deepEqual(order(editor), ["a", "b", "c", "d", "e"]);
  editor = edit(editor, { type: "undo" });
  assert.deepEqual(editor.draft, nested);
  assert.equal(edit(editor, { type: "undo" }), editor);
  for (let times = 0; times < 3; times++) editor = edit(editor, { type: "redo" });
  assert.deepEqual(editor.draft, last);
  assert.equal(edit(edit(editor, { type: "undo" }), rename("Other")).future.length, 0);
});

test("the selection is something that exists, also after undo", () => {
  const added = run(nested, { type: "add", step: "wait", place: top(0) });
  assert.equal(edit(added, { type: "undo" }).selection, "trigger");
  const replaced = run(nested, { type: "select", selection: { step: "c" } }, { type: "replace", draft: draftWith() });
  assert.equal(replaced.selection, "trigger");
});

test("edits keep the draft valid JSON of the API, whatever their order", () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  let editor = startEditor(nested);
  for (let times = 0; times < 2_000; times++) {
    const all = located(editor.draft.steps);
    const id = all[random(all.length)]?.step.id ?? "a";
    const branches = [null, ...all.filter(({ step }) => step.type === "branch").map(({ step }) => step.id)];
    const place: Place = {
      branch: branches[random(branches.length)] ?? null,
      side: random(2) ? "then" : "else",
      index: random(3),
    };
    const edits: Edit[] = [
      { type: "add", step: (["wait", "branch", "filter"] as const)[random(3)]!, place },
      { type: "move", id, place },
      { type: "shift", id, by: random(2) ? 1 : -1 },
      { type: "duplicate", id },
      { type: "remove", id },
      { type: "rename", id, to: `r${random(30)}` },
      { type: "undo" },
      { type: "redo" },
    ];
    const before = new Set(allSteps(editor.draft.steps).map((step) => step.id));
    const action = edits[random(edits.length)]!;
    editor = edit(editor, action);
    const after = allSteps(editor.draft.steps).map((step) => step.id);
    assert.ok(after.length <= MAX_STEPS);
    assert.ok(
      Math.max(0, ...located(editor.draft.steps).map(({ step, level }) => (step.type === "branch" ? level : 0))) <= 3,
    );
    if (action.type === "move" || action.type === "shift")
      assert.deepEqual(new Set(after), before, "a move loses none");
    const parsed = fromJson(toJson(editor.draft));
    assert.ok("draft" in parsed, "error" in parsed ? parsed.error : "");
    assert.deepEqual(parsed.draft, editor.draft);
  }
});

test("values come from steps before, not from the other side of a branch", () => {
  const before = (id: string) => stepsBefore(nested.steps, id).map((step) => step.id);
  assert.deepEqual(before("a"), []);
  assert.deepEqual(before("c"), ["a", "b"]);
  assert.deepEqual(before("d"), ["a", "b"]);
  assert.deepEqual(before("e"), ["a", "b", "c", "d"]);
});

test("a graph goes from the trigger to the end, each step once, then left of else", () => {
  const { nodes, edges } = graphOf(nested.steps);
  assert.deepEqual(
    nodes.map(({ id }) => id),
    [TRIGGER, "a", "b", "c", "d", "$join:b", "e", END],
  );
  assert.deepEqual(
    edges.map(({ source, target, place, side }) => [source, target, place.branch, side ?? place.side, place.index]),
    [
      [TRIGGER, "a", null, "then", 0],
      ["a", "b", null, "then", 1],
      ["b", "c", "b", "then", 0],
      ["b", "d", "b", "else", 0],
      ["c", "$join:b", "b", "then", 1],
      ["d", "$join:b", "b", "else", 1],
      ["$join:b", "e", null, "then", 2],
      ["e", END, null, "then", 3],
    ],
  );
  const at = (id: string) => nodes.find((node) => node.id === id)!;
  assert.ok(at("c").x < at("d").x);
  assert.ok(at("a").y < at("b").y && at("b").y < at("c").y && at("c").y < at("e").y);
  assert.equal(edges.length, new Set(edges.map(({ id }) => id)).size);
  assert.deepEqual(
    graphOf([branch("b", [])]).edges.map(({ id }) => id),
    ["$trigger>b", "b>$join:b:then", "b>$join:b:else", "$join:b>$end"],
  );
});

test("no two nodes of a graph overlap, and then is left everywhere", () => {
  const steps = [
    branch(
      "one",
      [wait("a"), branch("two", [wait("b")], [branch("three", [wait("c")], [wait("d")])])],
      [wait("e"), wait("f")],
    ),
    branch("four", [wait("g")], [branch("five", [wait("h")], [wait("i")])]),
  ];
  const { nodes } = graphOf(steps);
  for (const one of nodes) {
    for (const other of nodes) {
      const isApart =
        one.id === other.id ||
        one.x + one.width <= other.x ||
        other.x + other.width <= one.x ||
        one.y + one.height <= other.y ||
        other.y + other.height <= one.y;
      assert.ok(isApart, `${one.id} and ${other.id}`);
    }
  }
  const x = (id: string) => nodes.find((node) => node.id === id)!.x;
  for (const [left, right] of [
    ["a", "e"],
    ["b", "three"],
    ["c", "d"],
    ["g", "five"],
    ["h", "i"],
  ] as const) {
    assert.ok(x(left) < x(right), `${left} is left of ${right}`);
  }
});

test("errors of the API are shown at their step", () => {
  const errors = [
    { path: "steps.0.action.input", message: "must be an object" },
    { path: "steps.1.branch.then.0.webhook.webhookId", message: "must be a webhook's ID" },
    { path: "steps.1.then.0.webhookId", message: "must be a webhook's ID" },
    { path: "steps.2.filters.0.path", message: "is not a path" },
    { path: "trigger.filters.0.path", message: "no event type of this flow's trigger has it" },
    { path: "steps", message: "step tell: there is no webhook whk_1" },
    { path: "steps", message: "step reply: input.conversationId is missing" },
    { path: "steps", message: "step IDs must be unique" },
    { path: "name", message: "must have 1 or more characters" },
  ];
  assert.deepEqual(
    locate(using, errors).map(({ at, path }) => [typeof at === "string" ? at : at.step, path]),
    [
      ["reply", "input"],
      ["tell", "webhookId"],
      ["tell", "webhookId"],
      ["stop", "filters.0.path"],
      ["trigger", "filters.0.path"],
      ["tell", ""],
      ["reply", "input.conversationId"],
      ["flow", "steps"],
      ["flow", "name"],
    ],
  );
});

test("JSON that the editor could not show is refused, with the reason", () => {
  const wrong = [
    "{",
    "[]",
    '{"name": "x"}',
    JSON.stringify({ ...nested, status: "ACTIVE" }),
    JSON.stringify({ ...nested, steps: {} }),
    JSON.stringify({ ...nested, steps: [{ id: "x", type: "call" }] }),
    JSON.stringify({ ...nested, steps: [wait("x"), wait("x")] }),
    JSON.stringify({ ...nested, steps: [{ id: "X", type: "wait", seconds: 1 }] }),
    JSON.stringify({ ...nested, steps: [{ ...branch("b", []), then: [null] }] }),
    JSON.stringify({
      ...nested,
      steps: [{ id: "f", type: "filter", filters: [{ path: "a", op: "like", value: "b" }] }],
    }),
  ];
  for (const text of wrong) assert.ok("error" in fromJson(text), text);
});

test("a stored flow is the draft that was saved", () => {
  const stored = {
    ...nested,
    steps: [
      { ...wait("a"), name: null },
      { id: "w", type: "webhook", webhookId: "whk_1", data: null, name: null },
    ],
  } as Draft;
  assert.deepEqual(draftOf(stored).steps, [wait("a"), { id: "w", type: "webhook", webhookId: "whk_1" }]);
  assert.ok(isSame(stored, draftOf(stored)));
  assert.ok(!isSame(stored, { ...stored, name: "Other" }));
  assert.ok(isSame(stored, Object.fromEntries(Object.entries(stored).reverse()) as unknown as Draft));
});

test("values are filled in as the flow does it", () => {
  const content = {
    event: { data: { name: "Ada", count: 3, tags: ["a"], none: null } },
    steps: { a: { output: { id: 1 } } },
  };
  assert.deepEqual(filled("{{event.data.count}}", content), { value: 3, missing: [] });
  assert.deepEqual(filled("{{ event.data.tags }}", content).value, ["a"]);
  assert.deepEqual(
    filled("{{event.data.name}}: {{event.data.count}} {{event.data.none}}{{steps.a.output}}", content).value,
    'Ada: 3 {"id":1}',
  );
  assert.deepEqual(filled("{{event.data.x}}", content), { value: null, missing: ["event.data.x"] });
  assert.deepEqual(filled("{{{{event.data.name}}}}", content).value, "{{Ada}}");
  assert.deepEqual(insertAt("Hi , bye", "event.data.name", 3, 3), { text: "Hi {{event.data.name}}, bye", cursor: 22 });
});

test("values to choose are those of the event, and of the outputs before the step", () => {
  const action = {
    id: "reply_to_message",
    label: "",
    description: "",
    input: {},
    output: { type: "object", properties: { messageId: { type: "string" } } },
    sample: { input: {}, output: { messageId: "msg_1" } },
  };
  const schema = { type: "object", properties: { text: { type: "string" } } };
  const groups = valueGroups(using, "tell", [{ schema }], { extra: 1 }, [action]);
  assert.deepEqual(
    groups.map(({ step, fields }) => [step?.id, fields.map(({ path }) => path)]),
    [
      [undefined, ["event.data.text", "event.data.extra", "event.id", "event.type", "event.timestamp"]],
      ["reply", ["steps.reply.output.messageId"]],
      ["b", ["steps.b.output.matched"]],
    ],
  );
  assert.deepEqual(stepSample(using, "stop", { type: "T", data: {} }, { b: { matched: true } }, [action]).steps, {
    reply: { output: { messageId: "msg_1" } },
    b: { output: { matched: true } },
    tell: { output: { eventId: "evt_…", deliveryId: "dlv_…" } },
  });
});

test("a template becomes a draft with what was chosen, and the check names what was not", () => {
  const template: FlowTemplate = {
    key: "t",
    name: "Raise mentions",
    description: "Tells the team.",
    trigger: { type: "event", eventTypes: ["MENTION_RECEIVED"], filters: [] },
    choices: [
      { key: "webhook", type: "webhook", resource: null, label: "Team webhook", description: "It tells the team." },
      { key: "account", type: "object", resource: "accounts", label: "Account", description: "It posts." },
    ],
    steps: [
      {
        id: "is_x",
        type: "branch",
        condition: [{ path: "event.data.network", op: "equals", value: "x" }],
        then: [{ id: "tell", type: "webhook", webhookId: "{{choices.webhook}}", data: { n: 1, list: [null, true] } }],
        else: [],
      },
      {
        id: "post",
        type: "action",
        action: "create_post",
        input: { accountId: "{{choices.account}}", text: "{{event.data.text}} {{choices.account}}" },
      },
    ],
    scopes: ["automations:use", "webhooks:write"],
  };
  const whole = draftFrom(template, { webhook: "whk_1", account: "acc_1", other: "x" });
  assert.deepEqual("draft" in fromJson(toJson(whole)) && whole, whole);
  assert.deepEqual(check(whole), []);
  assert.deepEqual(
    located(whole.steps).map(({ step }) => ("webhookId" in step ? step.webhookId : "input" in step && step.input)),
    [false, "whk_1", { accountId: "acc_1", text: "{{event.data.text}} {{choices.account}}" }],
  );
  assert.deepEqual(
    check(draftFrom(template, { account: "acc_1" })).map(({ path }) => path),
    ["webhookId"],
  );
});
