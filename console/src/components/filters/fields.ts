import type { EventTypeInfo } from "@sdk/generated/models";
import { isObject, isPath, type Scalar } from "./evaluate";

/** A place in data that a filter, or a value of a flow's step, can name. */
export interface Field {
  path: string;
  /** Types of JSON Schema, such as `string`; none if it is not known. */
  types: readonly string[];
  description?: string;
  /** The only values that it has, if the schema lists them. */
  values?: readonly Scalar[];
}

const MOST_FIELDS = 300;
const DEEPEST = 8;

/** The fields of the data of events: those of all the types, each once. */
export function eventFields(eventTypes: readonly Pick<EventTypeInfo, "schema">[]): Field[] {
  return unique(eventTypes.flatMap(({ schema }) => schemaFields(schema)));
}

/** The fields that a JSON Schema describes; a list has one for its first entry. */
export function schemaFields(schema: unknown, prefix = ""): Field[] {
  if (!isObject(schema) || depth(prefix) > DEEPEST) return [];
  const inner: [string, unknown][] = isObject(schema.properties) ? Object.entries(schema.properties) : [];
  if (schema.items !== undefined) inner.push(["0", schema.items]);
  return inner.flatMap(([name, of]) => {
    const path = prefix + name;
    if (!isPath(path) || name.includes(".") || !isObject(of)) return [];
    const field: Field = {
      path,
      types: [of.type].flat().filter((type) => typeof type === "string"),
      ...(typeof of.description === "string" && { description: of.description }),
      ...(Array.isArray(of.enum) && { values: of.enum.filter(isScalar) }),
    };
    return [field, ...schemaFields(of, `${path}.`)];
  });
}

/** The fields that a value has: of an event as it was published, or of a step's output. */
export function sampleFields(sample: unknown, prefix = ""): Field[] {
  if (depth(prefix) > DEEPEST) return [];
  const inner = Array.isArray(sample)
    ? sample.slice(0, 3).map((value, at) => [String(at), value] as const)
    : isObject(sample)
      ? Object.entries(sample)
      : [];
  return inner.flatMap(([name, value]) => {
    const path = prefix + name;
    if (!isPath(path) || name.includes(".")) return [];
    return [{ path, types: [typeOf(value)] }, ...sampleFields(value, `${path}.`)];
  });
}

/** Each path once, as it is described first. */
export function unique(fields: readonly Field[]): Field[] {
  const byPath = new Map<string, Field>();
  for (const field of fields) if (!byPath.has(field.path)) byPath.set(field.path, field);
  return [...byPath.values()].slice(0, MOST_FIELDS);
}

export function isScalar(value: unknown): value is Scalar {
  return value === null || ["string", "number", "boolean"].includes(typeof value);
}

/** The type of a value, in the words of JSON Schema. */
export function typeOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

function depth(prefix: string): number {
  return prefix.split(".").length;
}
