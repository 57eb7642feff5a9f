import type { EventTypeInfo } from "@sdk/generated/models";
import { isObject, isPath, type Scalar } from "./evaluate";

/** A path in data that a filter, or a value of a flow's step, can refer to. */
export interface Field {
  path: string;
  /** JSON Schema types, such as `string`; empty if unknown. */
  types: readonly string[];
  description?: string;
  /** The only allowed values, if the schema lists them. */
  values?: readonly Scalar[];
}

const MOST_FIELDS = 300;
const DEEPEST = 8;

/** The fields of the events' data: those of all types, without duplicates. */
export function eventFields(eventTypes: readonly Pick<EventTypeInfo, "schema">[]): Field[] {
  return unique(eventTypes.flatMap(({ schema }) => schemaFields(schema)));
}

/** The fields that a JSON Schema describes. For a list, they include its first entry. */
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

/** The fields of a value, such as a published event or a step's output. */
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

/** Removes duplicate paths. The first description of a path wins. */
export function unique(fields: readonly Field[]): Field[] {
  const byPath = new Map<string, Field>();
  for (const field of fields) if (!byPath.has(field.path)) byPath.set(field.path, field);
  return [...byPath.values()].slice(0, MOST_FIELDS);
}

export function isScalar(value: unknown): value is Scalar {
  return value === null || ["string", "number", "boolean"].includes(typeof value);
}

/** The JSON Schema type of a value. */
export function typeOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

function depth(prefix: string): number {
  return prefix.split(".").length;
}
