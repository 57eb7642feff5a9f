import { lookUp } from "@components/filters/evaluate";
import { type Field, sampleFields, schemaFields, unique } from "@components/filters/fields";
import type { EventTypeInfo } from "@sdk/generated/models";
import { type Draft, type Step, stepsBefore } from "./definition";

/** An action of the catalogue: its input and output, as JSON Schemas. */
export interface Action {
  id: string;
  label: string;
  description: string;
  input: Record<string, unknown>;
  output: Record<string, unknown>;
  sample: { input: Record<string, unknown>; output: Record<string, unknown> };
}

/** Values that a step can use, in groups: the event, and each step before it. */
export interface ValueGroup {
  /** Null for the event. */
  step: Step | null;
  fields: Field[];
}

const EVENT_FIELDS = ["id", "type", "timestamp"].map((name): Field => ({ path: `event.${name}`, types: ["string"] }));

export function valueGroups(
  draft: Pick<Draft, "steps">,
  stepId: string,
  eventTypes: readonly Pick<EventTypeInfo, "schema">[],
  sample: unknown,
  actions: readonly Action[],
): ValueGroup[] {
  const fromEvent = unique([
    ...eventTypes.flatMap(({ schema }) => schemaFields(schema, "event.data.")),
    ...sampleFields(sample, "event.data."),
    ...EVENT_FIELDS,
  ]);
  const fromSteps = stepsBefore(draft.steps, stepId).map((step) => ({ step, fields: outputFields(step, actions) }));
  return [{ step: null, fields: fromEvent }, ...fromSteps.filter(({ fields }) => fields.length > 0)];
}

function outputFields(step: Step, actions: readonly Action[]): Field[] {
  const prefix = `steps.${step.id}.output.`;
  const text = (name: string): Field => ({ path: prefix + name, types: ["string"] });
  switch (step.type) {
    case "webhook":
      return [text("eventId"), text("deliveryId")];
    case "branch":
      return [{ path: `${prefix}matched`, types: ["boolean"] }];
    case "action":
      return schemaFields(actions.find(({ id }) => id === step.action)?.output, prefix);
    case "request":
      return [
        { path: `${prefix}status`, types: ["integer"] },
        { path: `${prefix}body`, types: ["object"] },
      ];
    case "wait":
    case "filter":
      return [];
  }
}

/** The data that a step's filters look into: the event, and the known outputs of the steps before it. */
export function stepSample(
  draft: Pick<Draft, "steps">,
  stepId: string,
  event: { type: string; data: unknown },
  outputs: Readonly<Record<string, unknown>>,
  actions: readonly Action[],
): { event: unknown; steps: Record<string, { output: unknown }> } {
  const steps: Record<string, { output: unknown }> = {};
  for (const step of stepsBefore(draft.steps, stepId)) {
    const output = outputs[step.id] ?? exampleOutput(step, actions);
    if (output != null) steps[step.id] = { output };
  }
  return { event, steps };
}

/** An example of a step's output, until a dry run returns the actual one. */
function exampleOutput(step: Step, actions: readonly Action[]): unknown {
  switch (step.type) {
    case "webhook":
      return { eventId: "evt_…", deliveryId: "dlv_…" };
    case "action":
      return actions.find(({ id }) => id === step.action)?.sample.output;
    case "branch":
      return { matched: true };
    case "request":
      return { status: 200, body: {}, isTruncated: false };
    case "wait":
    case "filter":
      return null;
  }
}

/** Inserts an expression into a text at the cursor. */
export function insertAt(text: string, path: string, start: number, end: number): { text: string; cursor: number } {
  const expression = `{{${path}}}`;
  return { text: text.slice(0, start) + expression + text.slice(end), cursor: start + expression.length };
}

/** Whether the text is a single expression: its value then keeps its type. */
export function isExpression(text: string): boolean {
  return /^\{\{[^{}]*\}\}$/.test(text);
}

/** Resolves the expressions in a text, as a flow does: a missing value becomes null, or empty inside other text. */
export function filled(text: string, content: unknown): { value: unknown; missing: string[] } {
  const missing: string[] = [];
  const take = (path: string): unknown => {
    const { isFound, value } = lookUp(content, path);
    if (!isFound) missing.push(path);
    return isFound ? value : null;
  };
  if (isExpression(text)) return { value: take(text.slice(2, -2).trim()), missing };
  const value = text.replace(/\{\{([^{}]*)\}\}/g, (_, expression: string) => {
    const taken = take(expression.trim());
    if (taken === null) return "";
    return typeof taken === "string" ? taken : JSON.stringify(taken);
  });
  return { value, missing };
}
