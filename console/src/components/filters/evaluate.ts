import type { EqualsFilter, ExistsFilterInput, InFilter } from "@sdk/generated/models";

/** A filter in the format of the API. */
export type Filter = EqualsFilter | InFilter | ExistsFilterInput;
export type Scalar = EqualsFilter["value"];
export type FilterOp = Filter["op"];

export const MAX_FILTERS = 10;

const SEGMENT = "[^.\\u0000-\\u001f\\u007f]{1,64}";
const PATH = new RegExp(`^${SEGMENT}(\\.${SEGMENT}){0,7}$`, "u");
const INDEX = /^(0|[1-9][0-9]*)$/;

/** The value that a filter finds in the data, and whether the data passes. */
export interface Result {
  passes: boolean;
  isFound: boolean;
  found: unknown;
}

/**
 * Whether data passes a filter, by the rules of `event_filters.py`: the same test vectors verify both. Only integers
 * beyond 2^53 differ, because JavaScript rounds them.
 */
export function evaluate(filter: Filter, data: unknown): Result {
  const { isFound, value } = lookUp(data, filter.path);
  return { passes: passes(filter, isFound, value), isFound, found: value };
}

/** The value at a dot path; a number in it is an index of a list. A null value counts as found. */
export function lookUp(data: unknown, path: string): { isFound: boolean; value: unknown } {
  let value = data;
  for (const segment of path.split(".")) {
    if (Array.isArray(value)) {
      if (!INDEX.test(segment) || Number(segment) >= value.length) return { isFound: false, value: undefined };
      value = value[Number(segment)];
    } else if (isObject(value) && Object.hasOwn(value, segment)) {
      value = value[segment];
    } else {
      return { isFound: false, value: undefined };
    }
  }
  return { isFound: true, value };
}

export function isPath(text: string): boolean {
  return PATH.test(text);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function passes(filter: Filter, isFound: boolean, value: unknown): boolean {
  if (filter.op === "exists") return isFound === (filter.value ?? true);
  // A list or an object never equals a filter's value, because equality compares references.
  if (filter.op === "equals") return isFound && value === filter.value;
  return isFound && filter.value.some((accepted) => accepted === value);
}
