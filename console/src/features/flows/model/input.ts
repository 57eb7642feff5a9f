import { isObject } from "@components/filters/evaluate";
import { parse, write } from "@components/filters/scalars";
import { isExpression } from "./values";

/** A field of an action's input, from its JSON Schema. */
export interface InputField {
  name: string;
  title: string;
  description?: string;
  kind: "text" | "number" | "boolean" | "list" | "json";
  required: boolean;
  multiline: boolean;
  /** The only allowed values. */
  values: string[];
  /** The resource whose IDs the field takes. */
  choices?: string;
}

const KINDS: Record<string, InputField["kind"]> = {
  string: "text",
  number: "number",
  integer: "number",
  boolean: "boolean",
  array: "list",
};

export function inputFields(schema: unknown): InputField[] {
  if (!isObject(schema) || !isObject(schema.properties)) return [];
  const required = Array.isArray(schema.required) ? schema.required : [];
  return Object.entries(schema.properties).flatMap(([name, of]) => {
    if (!isObject(of)) return [];
    const type = [of.type].flat().find((one) => one !== "null");
    const isTextList = type !== "array" || !isObject(of.items) || of.items.type === "string";
    return [
      {
        name,
        title: typeof of.title === "string" ? of.title : name,
        ...(typeof of.description === "string" && { description: of.description }),
        kind: (isTextList && KINDS[String(type)]) || "json",
        required: required.includes(name),
        multiline: of["x-multiline"] === true,
        values: Array.isArray(of.enum) ? of.enum.filter((value) => typeof value === "string") : [],
        ...(typeof of["x-choices"] === "string" && { choices: of["x-choices"] }),
      },
    ];
  });
}

/** Formats the value of a field as text for editing. */
export function textOf(kind: InputField["kind"], value: unknown): string {
  if (value === undefined) return "";
  if (typeof value === "string") return value;
  if (kind === "list" && Array.isArray(value) && value.every((entry) => typeof entry === "string")) {
    return value.join("\n");
  }
  return JSON.stringify(value);
}

/** Parses the text of a field; undefined leaves the field out. An expression stays unchanged. */
export function meantBy(kind: InputField["kind"], text: string): unknown {
  if (text === "") return undefined;
  if (kind === "text" || isExpression(text)) return text;
  if (kind === "list") return text.split("\n");
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** Formats the value of a field of `data`, which can have any type: values other than strings become JSON. */
export function writeAny(value: unknown): string {
  if (typeof value === "object" && value !== null) return JSON.stringify(value);
  const text = write(value as string | number | boolean | null);
  return typeof value === "string" && isContainer(text) ? JSON.stringify(text) : text;
}

/** The inverse of `writeAny`. */
export function parseAny(text: string): unknown {
  return isContainer(text) ? (JSON.parse(text) as unknown) : parse(text);
}

/** Whether the text is a JSON list or object. */
function isContainer(text: string): boolean {
  if (!/^\s*[[{]/.test(text)) return false;
  try {
    return typeof JSON.parse(text) === "object";
  } catch {
    return false;
  }
}
