import { isObject } from "@components/filters/evaluate";
import { flows as t } from "@strings/flows";
import { type Draft, isStepId, type Step } from "./definition";

/** Formats a draft as JSON, as `POST /api/flows` takes it. */
export function toJson(draft: Draft): string {
  return JSON.stringify(draft, null, 2);
}

/**
 * Parses a draft, or returns what is wrong. It checks only what the editor relies on: step types, step IDs, and that
 * lists are lists. The API checks everything else.
 */
export function fromJson(text: string): { draft: Draft } | { error: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { error: t.json.notJson(error instanceof Error ? error.message : "") };
  }
  if (!isObject(value)) return { error: t.json.notObject };
  const { name, description = "", trigger, steps, ...others } = value;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) return { error: t.json.unknown(unknown) };
  if (typeof name !== "string" || typeof description !== "string") return { error: t.json.texts };
  const isTrigger =
    isObject(trigger) && trigger.type === "event" && isTextList(trigger.eventTypes) && isFilters(trigger.filters ?? []);
  if (!isTrigger) return { error: t.json.trigger };
  const ids = new Set<string>();
  const wrong = wrongStep(steps, "steps", ids);
  if (wrong !== null) return { error: wrong };
  return { draft: { name, description, trigger, steps } as unknown as Draft };
}

/** Returns what is wrong with the steps, or null. Adds their IDs to `ids`. */
function wrongStep(steps: unknown, path: string, ids: Set<string>): string | null {
  if (!Array.isArray(steps)) return t.json.list(path);
  for (const [index, step] of steps.entries()) {
    const at = `${path}.${index}`;
    if (!isObject(step)) return t.json.step(at);
    const { id } = step;
    if (typeof id !== "string" || !isStepId(id)) return t.json.id(at);
    if (ids.has(id)) return t.json.repeated(id);
    ids.add(id);
    if (!isName(step.name) || !hasFields(step as unknown as Step)) return t.json.fields(at, id);
    if (step.type === "branch") {
      const wrong = wrongStep(step.then, `${at}.then`, ids) ?? wrongStep(step.else ?? [], `${at}.else`, ids);
      if (wrong !== null) return wrong;
    }
  }
  return null;
}

function hasFields(step: Step): boolean {
  switch (step.type) {
    case "webhook":
      return typeof step.webhookId === "string" && (step.data == null || isObject(step.data));
    case "action":
      return typeof step.action === "string" && (step.input === undefined || isObject(step.input));
    case "request":
      return (
        [step.integrationId, step.connectionId ?? "", step.method, step.url].every((one) => typeof one === "string") &&
        isObject(step.query ?? {}) &&
        isObject(step.headers ?? {})
      );
    case "wait":
      return typeof step.seconds === "number";
    case "filter":
      return isFilters(step.filters);
    case "branch":
      return isFilters(step.condition);
    default:
      return false;
  }
}

function isFilters(value: unknown): boolean {
  return Array.isArray(value) && value.every(isFilter);
}

function isFilter(value: unknown): boolean {
  if (!isObject(value) || typeof value.path !== "string") return false;
  if (value.op === "equals") return "value" in value && (typeof value.value !== "object" || value.value === null);
  if (value.op === "in")
    return Array.isArray(value.value) && value.value.every((one) => typeof one !== "object" || one === null);
  return value.op === "exists" && ["boolean", "undefined"].includes(typeof value.value);
}

function isTextList(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function isName(value: unknown): boolean {
  return value == null || typeof value === "string";
}
