import { Checkbox, NativeSelect, PasswordInput, Textarea, TextInput } from "@mantine/core";
import "@mantine/core/styles/Checkbox.css";
import "@mantine/core/styles/PasswordInput.css";
import { common as t } from "@strings/common";
import { useState } from "react";
import { ErrorPanel } from "./ErrorPanel";
import { problemOf } from "./problem";
import type { FieldValue, FieldValues, SchemaField } from "./schema";

interface Props {
  fields: readonly SchemaField[];
  values: FieldValues;
  errors: Readonly<Record<string, string>>;
  onChange: (name: string, value: FieldValue) => void;
  /** The names of the secrets that are already stored: they may stay empty. */
  stored?: ReadonlySet<string>;
}

/** The inputs for fields that the API describes as JSON Schema. The API validates the values. */
export function SchemaFields({ fields, values, errors, onChange, stored = new Set() }: Props) {
  return fields.map((field) => (
    <Field
      key={field.name}
      field={field}
      value={values[field.name]}
      error={errors[field.name]}
      isStored={stored.has(field.name)}
      onChange={(value) => onChange(field.name, value)}
    />
  ));
}

interface FieldProps {
  field: SchemaField;
  value: FieldValue | undefined;
  error: string | undefined;
  isStored: boolean;
  onChange: (value: FieldValue) => void;
}

function Field({ field, value, error, isStored, onChange }: FieldProps) {
  const { title, description, kind, options, isRequired, placeholder, isOn } = field;
  const text = typeof value === "string" ? value : "";
  const shared = { label: title, description, error, withAsterisk: isRequired && !isStored };
  const typed = {
    ...shared,
    required: isRequired && !isStored,
    value: text,
    autoComplete: "off",
    spellCheck: false,
    maxLength: 4096,
  };
  switch (kind) {
    case "boolean":
      return (
        <Checkbox
          label={title}
          description={description}
          error={error}
          checked={value === undefined ? isOn : value === true}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
      );
    case "choice":
      return (
        <NativeSelect
          {...shared}
          value={text}
          data={[{ value: "", label: t.form.preset(placeholder) }, ...options]}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      );
    case "list":
      return <ListField shared={shared} value={Array.isArray(value) ? value : []} onChange={onChange} />;
    case "secret":
      return (
        <PasswordInput
          {...typed}
          aria-invalid={error !== undefined}
          placeholder={isStored ? t.form.stored : undefined}
          visibilityToggleButtonProps={{ "aria-label": t.form.show(title) }}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      );
    case "text":
      return (
        <TextInput {...typed} placeholder={placeholder} onChange={(event) => onChange(event.currentTarget.value)} />
      );
  }
}

interface ListProps {
  shared: { label: string; description: string; error: string | undefined; withAsterisk: boolean };
  value: string[];
  onChange: (value: string[]) => void;
}

/** A list of values, one per line. */
function ListField({ shared, value, onChange }: ListProps) {
  const [text, setText] = useState(value.join("\n"));
  return (
    <Textarea
      {...shared}
      description={`${shared.description} ${t.form.onePerLine}`.trim()}
      rows={3}
      spellCheck={false}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value);
        onChange(
          event.currentTarget.value
            .split("\n")
            .map((line) => line.trim())
            .filter(Boolean),
        );
      }}
    />
  );
}

interface ErrorProps {
  error: unknown;
  /** The property of the body that contains the fields: `config` or `credentials`. */
  object: string;
  fields: readonly SchemaField[];
  /** Other fields of the form that show their errors themselves. */
  others?: readonly string[];
}

/** Shows an error of a form with schema fields, unless the fields already show it. */
export function SchemaError({ error, object, fields, others = [] }: ErrorProps) {
  const shown = new Set([...fields.map(({ name }) => `${object}.${name}`), ...others]);
  const rejected = problemOf(error).fields;
  const isShown = ({ path }: { path: string }) => shown.has(path.split(".").slice(0, 2).join("."));
  if (!error || (rejected.length > 0 && rejected.every(isShown))) return null;
  return <ErrorPanel error={error} />;
}
