import { type Draft, located, type Place, type Step } from "./definition";

/** A problem and its place: a step, the trigger, or the flow. `path` is relative to that place. */
export interface FlowProblem {
  at: { step: string } | "trigger" | "flow";
  path: string;
  message: string;
}

const TYPES = new Set<string>(["webhook", "action", "request", "wait", "filter", "branch"] satisfies Step["type"][]);
const IN_MESSAGE = /^(?:Value error, )?step ([a-z][a-z0-9_]{0,31}): (.*)$/s;

/** Assigns each of the API's errors to the step that it belongs to. */
export function locate(draft: Draft, errors: readonly { path: string; message: string }[]): FlowProblem[] {
  return errors.map(({ path, message }) => {
    const [root = "", ...rest] = path.split(".");
    if (root === "trigger") return { at: "trigger", path: rest.join("."), message };
    if (root !== "steps") return { at: "flow", path, message };
    const found = stepAt(draft.steps, rest);
    if (found !== null) return { at: { step: found.step.id }, path: found.rest.join("."), message };
    return inMessage(draft, message) ?? { at: "flow", path, message };
  });
}

/** Finds the step that an error message names. Some such errors have no path: those about missing permissions. */
export function inMessage(draft: Draft, message: string): FlowProblem | null {
  const [, id, text] = message.match(IN_MESSAGE) ?? message.match(/^(?:The )?step ([a-z][a-z0-9_]{0,31}) (.*)$/s) ?? [];
  if (id === undefined || text === undefined) return null;
  const isKnown = located(draft.steps).some(({ step }) => step.id === id);
  const field = text.match(/^(input(?:\.\w+)?)/)?.[1] ?? "";
  return isKnown ? { at: { step: id }, path: field, message: text.charAt(0).toUpperCase() + text.slice(1) } : null;
}

/** The step that a path such as `0.branch.then.1.webhookId` leads to, and the rest of the path. */
function stepAt(steps: readonly Step[], path: readonly string[]): { step: Step; rest: readonly string[] } | null {
  const [index = "", ...inside] = path;
  const step = /^\d+$/.test(index) ? steps[Number(index)] : undefined;
  if (step === undefined) return null;
  // The path of an error in a union contains the name of the type.
  const rest = TYPES.has(inside[0] ?? "") ? inside.slice(1) : inside;
  const side = rest[0] as Place["side"];
  if (step.type === "branch" && (side === "then" || side === "else") && rest.length > 1) {
    return stepAt(step[side] ?? [], rest.slice(1)) ?? { step, rest };
  }
  return { step, rest };
}
