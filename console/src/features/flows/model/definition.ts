import { isObject } from "@components/filters/evaluate";
import type { CreateFlow, Flow } from "@sdk/generated/models";

/** The part of a flow that users edit: the API's JSON, without the fields that Patchbay adds. */
export type Draft = Required<Pick<CreateFlow, "name" | "description" | "trigger" | "steps">>;
export type Trigger = CreateFlow["trigger"];
export type Step = CreateFlow["steps"][number];
export type StepType = Step["type"];
export type StepOf<T extends StepType> = Extract<Step, { type: T }>;
export type Branch = StepOf<"branch">;
export type Side = "then" | "else";

/** Where a step is or goes: in the flow itself, or on a side of a branch. */
export interface Place {
  branch: string | null;
  side: Side;
  index: number;
}

export interface Located {
  step: Step;
  place: Place;
  /** The nesting level of the step: 1 for steps of the flow itself. */
  level: number;
}

export const MAX_STEPS = 20;
export const MAX_NESTING = 3;
export const MAX_WAIT_SECONDS = 30 * 86_400;
const ID = /^[a-z][a-z0-9_]{0,31}$/;
/** The scope that is required to save a flow with a step of this type. */
export const STEP_SCOPES: Partial<Record<StepType, string>> = {
  webhook: "webhooks:write",
  action: "automations:use",
  request: "credentials:use",
};
/** The connection of a step that does not name one. */
export const DEFAULT_NAME = "default";
/** The HTTP methods that a request can use. */
export const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;

/** All steps, including those inside branches, in the order of the definition. */
export function located(
  steps: readonly Step[],
  branch: string | null = null,
  side: Side = "then",
  level = 1,
): Located[] {
  return steps.flatMap((step, index) => [
    { step, place: { branch, side, index }, level },
    ...(step.type === "branch"
      ? [...located(step.then, step.id, "then", level + 1), ...located(step.else ?? [], step.id, "else", level + 1)]
      : []),
  ]);
}

export function allSteps(steps: readonly Step[]): Step[] {
  return located(steps).map(({ step }) => step);
}

export function findStep(steps: readonly Step[], id: string | null): Step | undefined {
  return allSteps(steps).find((step) => step.id === id);
}

export function placeOf(steps: readonly Step[], id: string): Place | undefined {
  return located(steps).find(({ step }) => step.id === id)?.place;
}

/** The steps on a side of a branch, or of the flow itself. */
export function sequence(steps: readonly Step[], { branch, side }: Pick<Place, "branch" | "side">): readonly Step[] {
  if (branch === null) return steps;
  const found = findStep(steps, branch);
  return found?.type === "branch" ? (found[side] ?? []) : [];
}

/** The number of branches around a place. */
export function nesting(steps: readonly Step[], place: Place): number {
  const own = located(steps).find(({ step }) => step.id === place.branch);
  return own === undefined ? 0 : own.level;
}

/** How many levels of branches a step has, including itself. */
export function height(step: Step): number {
  if (step.type !== "branch") return 0;
  return 1 + Math.max(0, ...[...step.then, ...(step.else ?? [])].map(height));
}

/** The steps whose output a step can use: those that run before it, by the same rules as in the API. */
export function stepsBefore(steps: readonly Step[], id: string): Step[] {
  const all = located(steps);
  const at = all.findIndex(({ step }) => step.id === id);
  // If the step is inside a branch, steps on the other side do not run before it.
  const around = placesAround(steps, id);
  return all
    .slice(0, Math.max(at, 0))
    .filter(({ step }) => !placesAround(steps, step.id).some((one) => around.some((own) => isOtherSide(one, own))))
    .map(({ step }) => step);
}

function placesAround(steps: readonly Step[], id: string): Place[] {
  const place = placeOf(steps, id);
  if (place === undefined || place.branch === null) return [];
  return [place, ...placesAround(steps, place.branch)];
}

function isOtherSide(one: Place, other: Place): boolean {
  return one.branch === other.branch && one.side !== other.side;
}

/** A new step of a type, with an unused ID. */
export function newStep(type: StepType, taken: readonly string[]): Step {
  const id = freeId(type, taken);
  switch (type) {
    case "webhook":
      return { id, type, webhookId: "" };
    case "action":
      return { id, type, action: "", input: {} };
    case "request":
      return { id, type, integrationId: "", connectionId: "", method: "POST", url: "" };
    case "wait":
      return { id, type, seconds: 600 };
    case "filter":
      return { id, type, filters: [] };
    case "branch":
      return { id, type, condition: [], then: [], else: [] };
  }
}

/** The first free ID of `reply`, `reply_2`, `reply_3` … */
export function freeId(wanted: string, taken: readonly string[]): string {
  const base = wanted.replace(/_\d+$/, "").slice(0, 28);
  for (let number = 2, id = base; ; number++) {
    if (!taken.includes(id)) return id;
    id = `${base}_${number}`;
  }
}

export function isStepId(text: string): boolean {
  return ID.test(text);
}

/** The draft of a stored flow, without the empty fields that the API adds. */
export function draftOf({ name, description, trigger, steps }: Draft | Flow): Draft {
  return { name, description, trigger: { ...trigger, filters: trigger.filters ?? [] }, steps: steps.map(tidied) };
}

function tidied(step: Step): Step {
  const { name, ...unnamed } = step;
  const own = (name ? { ...unnamed, name } : unnamed) as Step;
  if (own.type === "branch") return { ...own, then: own.then.map(tidied), else: (own.else ?? []).map(tidied) };
  if (own.type === "webhook" && own.data == null) {
    const { data: _, ...rest } = own;
    return rest;
  }
  return own.type === "request" ? tidiedRequest(own) : own;
}

function tidiedRequest({ query, headers, body, ...step }: StepOf<"request">): StepOf<"request"> {
  return {
    ...step,
    ...(query && Object.keys(query).length > 0 && { query }),
    ...(headers && Object.keys(headers).length > 0 && { headers }),
    ...(body != null && { body }),
  };
}

/** Whether two drafts have the same content. */
export function isSame(one: Draft, other: Draft): boolean {
  return canonical(draftOf(one)) === canonical(draftOf(other));
}

/** JSON with the fields of each object in a fixed order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    isObject(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}
