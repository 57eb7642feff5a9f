import type { FlowTemplate } from "@sdk/generated/models";
import type { Draft, Step } from "./definition";

/** The chosen IDs, by the key of the choice. */
export type Chosen = Readonly<Record<string, string>>;

/** Creates the draft of a flow from a template. A missing choice stays empty, and the editor asks for it. */
export function draftFrom({ name, description, trigger, choices, steps }: FlowTemplate, chosen: Chosen): Draft {
  const ids = new Map<unknown, string>(choices.map(({ key }) => [`{{choices.${key}}}`, chosen[key] ?? ""]));
  const { type, eventTypes, filters = [] } = trigger;
  return {
    name,
    description,
    trigger: { type, eventTypes, filters },
    // Except for the placeholders of choices, a template has the steps of a flow.
    steps: JSON.parse(JSON.stringify(steps), (_, value: unknown) => ids.get(value) ?? value) as Step[],
  };
}

export const EMPTY: Draft = {
  name: "",
  description: "",
  trigger: { type: "event", eventTypes: [], filters: [] },
  steps: [],
};
