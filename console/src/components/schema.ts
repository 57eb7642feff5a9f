/** A field of a form that the API describes as JSON Schema. */
export interface SchemaField {
  name: string;
  title: string;
  description: string;
  kind: "text" | "secret" | "boolean" | "choice" | "list";
  options: readonly string[];
  isRequired: boolean;
  placeholder: string;
  /** Whether a boolean defaults to true. */
  isOn: boolean;
}

export type FieldValue = string | boolean | string[];
export type FieldValues = Readonly<Record<string, FieldValue>>;

interface Property {
  title?: string;
  description?: string;
  type?: string;
  enum?: unknown[];
  default?: unknown;
  writeOnly?: boolean;
}

/** The fields of an object schema, required fields first. */
export function fieldsOf(schema: Record<string, unknown> | null): SchemaField[] {
  const { properties = {}, required = [] } = (schema ?? {}) as {
    properties?: Record<string, Property>;
    required?: string[];
  };
  const fields = Object.entries(properties).map(([name, property]) => fieldOf(name, property, required.includes(name)));
  return [...fields.filter(({ isRequired }) => isRequired), ...fields.filter(({ isRequired }) => !isRequired)];
}

function fieldOf(name: string, property: Property, isRequired: boolean): SchemaField {
  const { title = name, description = "", default: preset } = property;
  return {
    name,
    title,
    description: description.charAt(0).toUpperCase() + description.slice(1),
    kind: kindOf(property),
    options: (property.enum ?? []).map(String),
    isRequired,
    placeholder: typeof preset === "string" ? preset : "",
    isOn: preset === true,
  };
}

function kindOf({ type, writeOnly, enum: choices }: Property): SchemaField["kind"] {
  if (type === "boolean" || choices?.every((choice) => typeof choice === "boolean")) return "boolean";
  if (type === "array") return "list";
  if (choices !== undefined) return "choice";
  return writeOnly ? "secret" : "text";
}

/** The changes to send: the values that differ from `old`. An emptied field becomes null, which removes it. */
export function changesOf(values: FieldValues, old: FieldValues): Record<string, FieldValue | null> {
  const changes: Record<string, FieldValue | null> = {};
  for (const [name, value] of Object.entries(values)) {
    if (JSON.stringify(value) === JSON.stringify(old[name])) continue;
    if (!isEmpty(value)) changes[name] = value;
    else if (old[name] !== undefined) changes[name] = null;
  }
  return changes;
}

/** The values that are not empty. */
export function filled(values: FieldValues): Record<string, FieldValue> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => !isEmpty(value)));
}

function isEmpty(value: FieldValue): boolean {
  return value === "" || (Array.isArray(value) && value.length === 0);
}
