import { options } from "@components/options";
import { ActionIcon, Autocomplete, Button, NativeSelect, TagsInput, TextInput } from "@mantine/core";
import "@mantine/core/styles/Combobox.css";
import "@mantine/core/styles/Pill.css";
import "@mantine/core/styles/PillsInput.css";
import type { EventTypeInfo } from "@sdk/generated/models";
import { filters as t } from "@strings/filters";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useMemo, useRef, useState } from "react";
import { StatusBadge } from "../StatusBadge";
import { evaluate, type Filter, isPath, lookUp, MAX_FILTERS, type Scalar } from "./evaluate";
import { eventFields, type Field, sampleFields, unique } from "./fields";
import classes from "./filters.module.css";
import { convert, type Kind, kindOf, newFilter, parse, withOp, write } from "./scalars";

interface Props {
  value: readonly Filter[];
  onChange: (value: Filter[]) => void;
  /** The data to evaluate the filters against; undefined if there is no sample. */
  sample: unknown;
  /** The fields to choose from. */
  fields: readonly Field[];
  /** The API's errors, with paths relative to the filters: `0.path`. */
  errors?: readonly { path: string; message: string }[];
  label?: string;
  /** The text for an empty list: what it means. */
  empty?: string;
}

/** Filters of a webhook or of a flow's trigger: their paths start in the event's data. */
export function EventFilters({
  eventTypes,
  ...props
}: Omit<Props, "fields"> & { eventTypes: readonly Pick<EventTypeInfo, "schema">[] }) {
  const fields = useMemo(
    () => unique([...eventFields(eventTypes), ...sampleFields(props.sample)]),
    [eventTypes, props.sample],
  );
  return <FilterBuilder {...props} fields={fields} />;
}

/** Builds filters, and immediately shows which of them match a sample, and the values there. */
export function FilterBuilder({
  value,
  onChange,
  sample,
  fields,
  errors = [],
  label = t.label,
  empty = t.none,
}: Props) {
  const list = useRef<HTMLFieldSetElement>(null);
  const failed = value.filter((filter) => !evaluate(filter, sample).passes).length;

  function add(): void {
    const path = fields.find((field) => value.every((filter) => filter.path !== field.path))?.path ?? "";
    onChange([...value, newFilter(path, lookUp(sample, path).value, fieldAt(fields, path))]);
    requestAnimationFrame(() =>
      list.current?.querySelector<HTMLInputElement>("[data-filter]:last-of-type input")?.select(),
    );
  }

  function remove(at: number): void {
    onChange(value.filter((_, index) => index !== at));
    requestAnimationFrame(() => list.current?.querySelector<HTMLElement>("[data-add]")?.focus());
  }

  return (
    <fieldset ref={list} className={classes.builder} aria-label={label}>
      {value.length === 0 && <p className={classes.empty}>{empty}</p>}
      {value.map((filter, at) => (
        <FilterRow
          // Filters have no ID. The length in the key resets the draft when a filter takes the place of a removed one.
          key={`${value.length}/${at}`}
          filter={filter}
          number={at + 1}
          sample={sample}
          fields={fields}
          errors={errorsOf(errors, at)}
          onChange={(changed) => onChange(value.map((other, index) => (index === at ? changed : other)))}
          onRemove={() => remove(at)}
        />
      ))}
      <div className={classes.foot}>
        <Button
          data-add
          variant="default"
          size="xs"
          leftSection={<IconPlus size={14} aria-hidden />}
          disabled={value.length >= MAX_FILTERS}
          onClick={add}
        >
          {t.add}
        </Button>
        <span role="status" className={classes.summary}>
          {value.length >= MAX_FILTERS && `${t.most(MAX_FILTERS)} `}
          {value.length > 0 && sample !== undefined && (failed === 0 ? t.allMatch : t.someFail(failed, value.length))}
        </span>
      </div>
    </fieldset>
  );
}

interface RowProps {
  filter: Filter;
  number: number;
  sample: unknown;
  fields: readonly Field[];
  errors: { path?: string; value?: string };
  onChange: (filter: Filter) => void;
  onRemove: () => void;
}

function FilterRow({ filter, number, sample, fields, errors, onChange, onRemove }: RowProps) {
  const found = lookUp(sample, filter.path).value;
  const condition = filter.op === "exists" && filter.value === false ? "missing" : filter.op;

  function setCondition(chosen: string): void {
    if (chosen === "missing") onChange({ path: filter.path, op: "exists", value: false });
    else if (chosen === "exists") onChange({ path: filter.path, op: "exists", value: true });
    else onChange(withOp(filter, chosen as Filter["op"], found));
  }

  return (
    <fieldset data-filter className={classes.filter} aria-label={t.filter(number)}>
      <div className={classes.row}>
        <Autocomplete
          className={classes.path}
          size="xs"
          aria-label={t.field}
          placeholder={t.fieldPlaceholder}
          data={fields.map(({ path }) => path)}
          limit={100}
          maxDropdownHeight={240}
          comboboxProps={{ width: 320, position: "bottom-start", keepMounted: false }}
          value={filter.path}
          error={errors.path ?? (filter.path !== "" && !isPath(filter.path) ? t.badPath : undefined)}
          renderOption={({ option }) => <FieldOption path={option.value} sample={sample} fields={fields} />}
          onChange={(path) => onChange({ ...filter, path })}
          onOptionSubmit={(path) => onChange(newFilter(path, lookUp(sample, path).value, fieldAt(fields, path)))}
        />
        <NativeSelect
          className={classes.condition}
          size="xs"
          aria-label={t.condition}
          value={condition}
          data={options(t.conditions)}
          onChange={(event) => setCondition(event.currentTarget.value)}
        />
        <ActionIcon className={classes.remove} aria-label={t.remove(number)} onClick={onRemove}>
          <IconTrash size={16} aria-hidden />
        </ActionIcon>
        {filter.op === "equals" && (
          <OneValue
            value={filter.value}
            field={fieldAt(fields, filter.path)}
            error={errors.value}
            onChange={(value) => onChange({ ...filter, value })}
          />
        )}
        {filter.op === "in" && (
          <TagsInput
            className={classes.wide}
            size="xs"
            aria-label={t.values}
            description={t.valuesHelp}
            placeholder={filter.value.length === 0 ? t.valuesPlaceholder : undefined}
            inputWrapperOrder={["label", "input", "description", "error"]}
            data={(fieldAt(fields, filter.path)?.values ?? []).map(write)}
            maxTags={50}
            error={errors.value}
            value={filter.value.map(write)}
            onChange={(texts) => onChange({ ...filter, value: texts.map(parse) })}
          />
        )}
      </div>
      {sample !== undefined && filter.path !== "" && <Verdict filter={filter} sample={sample} />}
    </fieldset>
  );
}

function FieldOption({ path, sample, fields }: { path: string; sample: unknown; fields: readonly Field[] }) {
  const { isFound, value } = lookUp(sample, path);
  const description = fieldAt(fields, path)?.description;
  return (
    <div className={classes.option}>
      <span>
        <code>{path}</code>
        {isFound && <span className={classes.found}>{shown(value)}</span>}
      </span>
      {description && <span className={classes.description}>{description}</span>}
    </div>
  );
}

interface ValueProps {
  value: Scalar;
  field?: Field;
  error?: string;
  onChange: (value: Scalar) => void;
}

function OneValue({ value, field, error, onChange }: ValueProps) {
  const kind = kindOf(value);
  return (
    <div className={`${classes.wide} ${classes.value}`}>
      <NativeSelect
        className={classes.kind}
        size="xs"
        aria-label={t.kind}
        value={kind}
        data={options(t.kinds)}
        onChange={(event) => onChange(convert(value, event.currentTarget.value as Kind))}
      />
      {typeof value === "string" && (
        <Autocomplete
          size="xs"
          aria-label={t.value}
          data={(field?.values ?? []).filter((known) => typeof known === "string")}
          maxLength={256}
          value={value}
          error={error}
          onChange={onChange}
        />
      )}
      {typeof value === "number" && <NumberValue value={value} error={error} onChange={onChange} />}
      {typeof value === "boolean" && (
        <NativeSelect
          size="xs"
          aria-label={t.value}
          value={String(value)}
          data={[
            { value: "true", label: t.yes },
            { value: "false", label: t.no },
          ]}
          error={error}
          onChange={(event) => onChange(event.currentTarget.value === "true")}
        />
      )}
    </div>
  );
}

function NumberValue({ value, error, onChange }: { value: number; error?: string; onChange: (value: number) => void }) {
  const [draft, setDraft] = useState(String(value));
  const isNumber = draft.trim() !== "" && Number.isFinite(Number(draft));
  const text = isNumber && Number(draft) !== value ? String(value) : draft;
  return (
    <TextInput
      size="xs"
      inputMode="decimal"
      aria-label={t.value}
      value={text}
      error={isNumber ? error : t.notNumber}
      onChange={(event) => {
        const typed = event.currentTarget.value;
        setDraft(typed);
        if (typed.trim() !== "" && Number.isFinite(Number(typed))) onChange(Number(typed));
      }}
    />
  );
}

function Verdict({ filter, sample }: { filter: Filter; sample: unknown }) {
  const { passes, isFound, found } = evaluate(filter, sample);
  return (
    <p className={classes.verdict}>
      <StatusBadge tone={passes ? "success" : "warning"}>{passes ? t.matches : t.fails}</StatusBadge>
      <span>{isFound ? t.found(shown(found)) : t.absent}</span>
    </p>
  );
}

const SHOWN = 60;

/** A value on one line: long text is truncated, and a list or an object is only named. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return t.list;
  if (typeof value === "object" && value !== null) return t.object;
  const text = typeof value === "string" && value.length > SHOWN ? `${value.slice(0, SHOWN)}…` : value;
  return JSON.stringify(text);
}

function fieldAt(fields: readonly Field[], path: string): Field | undefined {
  return fields.find((field) => field.path === path);
}

/** The errors of the filter at an index: those of its path, and all others. */
function errorsOf(errors: NonNullable<Props["errors"]>, at: number): { path?: string; value?: string } {
  const own = errors.filter(({ path }) => path === `${at}` || path.startsWith(`${at}.`));
  const ofPath = own.find(({ path }) => /\.path$/.test(path));
  return { path: ofPath?.message, value: own.find((error) => error !== ofPath)?.message };
}
