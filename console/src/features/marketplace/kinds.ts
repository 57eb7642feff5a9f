import type { Integration } from "@sdk/generated/models";

export type Kind = "published" | "template" | "automation";

/** The plan of an automation. Built-in listings have it in their metadata. */
export interface Plan {
  event: string | null;
  filters: unknown[];
  steps: { app: string; action: string }[];
  /** The key of the equivalent flow template, if there is one. */
  flow: string | null;
}

export function kindOf(item: Integration, isTemplate: boolean): Kind {
  if (planOf(item) !== null) return "automation";
  return isTemplate ? "template" : "published";
}

/** Checks everything, because anyone can write metadata. */
export function planOf({ metadata }: Integration): Plan | null {
  const plan = asObject(metadata.template);
  if (plan === null || !Array.isArray(plan.then)) return null;
  const when = asObject(plan.when);
  return {
    event: typeof when?.event === "string" ? when.event : null,
    filters: Array.isArray(when?.filters) ? when.filters : [],
    steps: plan.then.map((step) => {
      const { app, action } = asObject(step) ?? {};
      return { app: String(app ?? ""), action: String(action ?? "") };
    }),
    flow: typeof plan.flow === "string" ? plan.flow : null,
  };
}

function asObject(value: unknown): Record<string, unknown> | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}
