import type { FlowTemplate } from "@sdk/generated/models";
import type { Draft, Step } from "./definition";

/** What was chosen, by the key of the choice. */
export type Chosen = Readonly<Record<string, string>>;

/** A template with what was chosen; what was not is empty, and the editor asks for it. */
export function draftFrom({ name, description, trigger, choices, steps }: FlowTemplate, chosen: Chosen): Draft {
  const ids = Object.fromEntries(choices.map(({ key }) => [`{{choices.${key}}}`, chosen[key] ?? ""]));
  const { type, eventTypes, filters = [] } = trigger;
  return {
    name,
    description,
    trigger: { type, eventTypes, filters },
    // A template has the steps of a flow, but for the choices.
    steps: replaced(steps, ids) as Step[],
  };
}

function replaced(value: unknown, ids: Chosen): unknown {
  if (typeof value === "string") return ids[value] ?? value;
  if (Array.isArray(value)) return value.map((each) => replaced(each, ids));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, replaced(inner, ids)]));
}

export const EMPTY: Draft = {
  name: "",
  description: "",
  trigger: { type: "event", eventTypes: [], filters: [] },
  steps: [],
};
