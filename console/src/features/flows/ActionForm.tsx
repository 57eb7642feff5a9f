import { useCan } from "@api/session";
import { ErrorPanel } from "@components/ErrorPanel";
import { Autocomplete, NativeSelect, Select, Stack, Text } from "@mantine/core";
import { flows as t } from "@strings/flows";
import { skipToken, useQuery } from "@tanstack/react-query";
import classes from "./flows.module.css";
import type { StepOf } from "./model/definition";
import { type InputField, inputFields, meantBy, textOf } from "./model/input";
import { actions, choices } from "./queries";
import { ValueInput, type Values } from "./ValueInput";

interface Props {
  step: StepOf<"action">;
  values: Values;
  errorOf: (path: string) => string | undefined;
  disabled: boolean;
  onChange: (step: StepOf<"action">, typing?: string) => void;
}

/** Selects an action of the catalogue, and edits its input. */
export function ActionForm({ step, values, errorOf, disabled, onChange }: Props) {
  const canUse = useCan("automations:use");
  const query = useQuery({ ...actions, queryFn: canUse ? actions.queryFn : skipToken });
  const known = query.data ?? [];
  const chosen = known.find(({ id }) => id === step.action);
  const input = step.input ?? {};

  function set(name: string, value: unknown): void {
    const { [name]: _, ...others } = input;
    onChange({ ...step, input: value === undefined ? others : { ...input, [name]: value } }, `input.${name}`);
  }

  return (
    <Stack gap="sm">
      {!canUse && (
        <Text size="sm" c="dimmed">
          {t.form.noActions}
        </Text>
      )}
      {query.error && <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />}
      <Select
        size="xs"
        label={t.form.action}
        placeholder={t.form.actionPlaceholder}
        searchable
        withAsterisk
        disabled={disabled || !canUse}
        data={
          chosen || step.action === ""
            ? known.map(({ id, label }) => ({ value: id, label }))
            : [{ value: step.action, label: step.action }, ...known.map(({ id, label }) => ({ value: id, label }))]
        }
        value={step.action || null}
        description={chosen?.description}
        error={errorOf("action")}
        onChange={(action) => onChange({ ...step, action: action ?? "", input: kept(input, known, action) })}
      />
      {chosen
        ? inputFields(chosen.input).map((field) => (
            <ActionField
              key={field.name}
              field={field}
              value={input[field.name]}
              values={values}
              error={errorOf(`input.${field.name}`)}
              disabled={disabled}
              onChange={(value) => set(field.name, value)}
            />
          ))
        : step.action !== "" && (
            <Text size="sm" c="dimmed">
              {t.form.unknownAction}
            </Text>
          )}
      {errorOf("input") && (
        <Text size="xs" c="var(--mantine-color-error)">
          {errorOf("input")}
        </Text>
      )}
    </Stack>
  );
}

/** The part of the input that the other action also accepts. */
function kept(input: Record<string, unknown>, known: readonly { id: string; input: unknown }[], action: string | null) {
  const names = inputFields(known.find(({ id }) => id === action)?.input).map(({ name }) => name);
  return Object.fromEntries(Object.entries(input).filter(([name]) => names.includes(name)));
}

interface FieldProps {
  field: InputField;
  value: unknown;
  values: Values;
  error?: string;
  disabled: boolean;
  onChange: (value: unknown) => void;
}

function ActionField({ field, value, values, error, disabled, onChange }: FieldProps) {
  const text = textOf(field.kind, value);
  const isPlain = !text.includes("{{");
  if (field.kind === "boolean" && isPlain) {
    return (
      <NativeSelect
        size="xs"
        label={field.title}
        description={field.description}
        withAsterisk={field.required}
        disabled={disabled}
        value={text}
        error={error}
        data={[
          { value: "", label: t.form.chooseBoolean },
          { value: "true", label: "true" },
          { value: "false", label: "false" },
        ]}
        onChange={(event) => onChange(meantBy("boolean", event.currentTarget.value))}
      />
    );
  }
  return (
    <div>
      <ValueInput
        label={field.title}
        description={[field.description, field.kind === "list" && t.form.lines].filter(Boolean).join(" ")}
        required={field.required}
        multiline={field.multiline || field.kind === "list" || field.kind === "json"}
        value={text}
        values={values}
        error={error}
        disabled={disabled}
        onChange={(changed) => onChange(meantBy(field.kind, changed))}
      />
      {!disabled && isPlain && (field.values.length > 0 || field.choices) && (
        <Suggestions field={field} text={text} onChoose={onChange} />
      )}
    </div>
  );
}

/** Suggests values for a field: those of its schema, or IDs that the platform lists. */
function Suggestions({
  field,
  text,
  onChoose,
}: {
  field: InputField;
  text: string;
  onChoose: (value: string) => void;
}) {
  const canUse = useCan("automations:use");
  const options = choices(field.choices ?? "");
  const query = useQuery({ ...options, queryFn: field.choices && canUse ? options.queryFn : skipToken, retry: false });
  const known = [...field.values.map((value) => ({ id: value, label: value })), ...(query.data ?? [])];
  if (known.length === 0) return null;
  const chosen = known.find(({ id }) => id === text)?.label ?? "";
  return (
    <Autocomplete
      className={classes.suggestions}
      size="xs"
      aria-label={t.form.choose(field.title)}
      placeholder={t.form.choose(field.title)}
      data={[...new Set(known.map(({ label }) => label))]}
      value={chosen}
      onChange={(label) => {
        const found = known.find((choice) => choice.label === label);
        if (found) onChoose(found.id);
      }}
    />
  );
}
