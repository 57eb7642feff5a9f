import type { Filter, FilterOp, Scalar } from "./evaluate";
import type { Field } from "./fields";

const LONGEST_TEXT = 256;

/** The type of a filter's value in the form. */
export type Kind = "text" | "number" | "boolean" | "null";

export function kindOf(value: Scalar): Kind {
  if (value === null) return "null";
  return typeof value === "string" ? "text" : (typeof value as "number" | "boolean");
}

/** Converts a value to the closest value of another kind. */
export function convert(value: Scalar, kind: Kind): Scalar {
  if (kind === "null") return null;
  if (kind === "boolean") return value === true || value === "true";
  if (kind === "number") return typeof value === "string" && value.trim() !== "" ? finite(value) : Number(value ?? 0);
  return value === null ? "" : String(value);
}

/**
 * Formats a list entry as text. A string gets quotes only if it would otherwise be parsed as another value.
 * `parse` is the inverse.
 */
export function write(value: Scalar): string {
  if (typeof value !== "string") return String(value);
  return parse(value) === value ? value : JSON.stringify(value);
}

/** Parses text: a number, true, false, null, a quoted string, or otherwise the text itself. */
export function parse(text: string): Scalar {
  const isLiteral = /^(true|false|null|-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?|".*")$/s.test(text);
  if (!isLiteral) return text;
  try {
    return JSON.parse(text) as Scalar;
  } catch {
    return text;
  }
}

/** A new filter on a field, with the value from the sample, so that it matches. */
export function newFilter(path: string, found: unknown, field?: Field): Filter {
  const isLong = typeof found === "string" && found.length > LONGEST_TEXT;
  if (isLong || (typeof found === "object" && found !== null)) return { path, op: "exists", value: true };
  return { path, op: "equals", value: initialValue(found, field) };
}

/** Changes the operator of a filter, and keeps as much of its value as possible. */
export function withOp(filter: Filter, op: FilterOp, found: unknown): Filter {
  const { path } = filter;
  if (filter.op === op) return filter;
  if (op === "exists") return { path, op, value: true };
  if (op === "equals") {
    const value = filter.op === "in" ? (filter.value[0] ?? "") : initialValue(found);
    return { path, op, value };
  }
  const value = filter.op === "equals" ? filter.value : initialValue(found);
  return { path, op, value: value === "" ? [] : [value] };
}

function initialValue(found: unknown, field?: Field): Scalar {
  if (typeof found === "string" || typeof found === "number" || typeof found === "boolean") return found;
  const [first] = field?.values ?? [];
  if (first !== undefined) return first;
  if (field?.types.includes("boolean")) return true;
  return field?.types.some((type) => type === "number" || type === "integer") ? 0 : "";
}

function finite(text: string): number {
  const number = Number(text);
  return Number.isFinite(number) ? number : 0;
}
