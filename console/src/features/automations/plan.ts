import type { Hook, Integration } from "@sdk/generated/models";
import { automations as t } from "@strings/automations";

/** The plan of a template, from `metadata.template`. */
export interface Plan {
  when: string;
  onlyIf: string[];
  steps: { title: string; fields: [name: string, value: string][] }[];
  /** The key of the equivalent flow template, if there is one. */
  flow: string | null;
}

type Json = Record<string, unknown>;

/** The plan of a template as text; null if its metadata has none. */
export function planOf({ metadata }: Integration): Plan | null {
  const template = metadata.template;
  if (!isObject(template) || !isObject(template.when) || !Array.isArray(template.then)) return null;
  const { when } = template;
  return {
    when:
      typeof when.event === "string"
        ? t.templates.event(when.event)
        : t.templates.app(String(when.app), String(when.trigger)),
    flow: typeof template.flow === "string" ? template.flow : null,
    onlyIf: Array.isArray(when.filters) ? when.filters.filter(isObject).map(filterWords) : [],
    steps: template.then.filter(isObject).map((step) => ({
      title:
        typeof step.app === "string"
          ? t.templates.app(step.app, String(step.action))
          : t.templates.action(String(step.action)),
      fields: Object.entries((step.fields ?? step.input ?? {}) as Json).map(([name, value]) => [name, shown(value)]),
    })),
  };
}

/** Describes a filter as text. */
export function filterWords(filter: Hook["filters"][number] | Json): string {
  const path = String(filter.path);
  if (filter.op === "exists") return filter.value ? t.filter.exists(path) : t.filter.missing(path);
  if (filter.op === "in" && Array.isArray(filter.value)) return t.filter.in(path, filter.value.map(shown).join(", "));
  return t.filter.equals(path, shown(filter.value));
}

function shown(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
