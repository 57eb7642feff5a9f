import type { Field } from "@components/filters/fields";
import { ActionIcon, Combobox, Textarea, useCombobox } from "@mantine/core";
import "@mantine/core/styles/Combobox.css";
import { lookUp } from "@components/filters/evaluate";
import { flows as t } from "@strings/flows";
import { IconBraces } from "@tabler/icons-react";
import { useRef, useState } from "react";
import classes from "./flows.module.css";
import { filled, insertAt, type ValueGroup } from "./model/values";
import { titleOf } from "./words";

/** The values to choose from, and the content that resolves them for the sample. */
export interface Values {
  groups: readonly ValueGroup[];
  content: unknown;
}

interface Props {
  label: string;
  value: string;
  values: Values;
  description?: string;
  required?: boolean;
  hideLabel?: boolean;
  multiline?: boolean;
  error?: string;
  disabled?: boolean;
  onChange: (value: string) => void;
}

/** A text input that can contain values `{{…}}`, with a menu that inserts them and a preview with the sample. */
export function ValueInput({
  label,
  value,
  values,
  description,
  required = false,
  hideLabel = false,
  multiline = false,
  error,
  disabled = false,
  onChange,
}: Props) {
  const input = useRef<HTMLTextAreaElement>(null);
  // The last position of the cursor; null, for the end, if there was none.
  const selected = useRef<readonly [start: number, end: number] | null>(null);

  function insert(path: string): void {
    const [start, end] = selected.current ?? [value.length, value.length];
    const { text, cursor } = insertAt(value, path, start, end);
    selected.current = [cursor, cursor];
    onChange(text);
    setTimeout(() => {
      input.current?.focus();
      input.current?.setSelectionRange(cursor, cursor);
    });
  }

  return (
    <div>
      <Textarea
        ref={input}
        size="xs"
        label={hideLabel ? undefined : label}
        aria-label={hideLabel ? label : undefined}
        description={description}
        withAsterisk={required}
        aria-required={required}
        rows={multiline ? 3 : 1}
        resize={multiline ? "vertical" : "none"}
        className={multiline ? undefined : classes.oneLine}
        value={value}
        error={error}
        disabled={disabled}
        rightSection={disabled ? undefined : <InsertValue label={label} values={values} onInsert={insert} />}
        rightSectionWidth={34}
        onBlur={({ currentTarget: { selectionStart, selectionEnd } }) => {
          selected.current = [selectionStart, selectionEnd];
        }}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
      {value.includes("{{") && <Preview text={value} content={values.content} />}
    </div>
  );
}

function Preview({ text, content }: { text: string; content: unknown }) {
  const { value, missing } = filled(text, content);
  const words = typeof value === "string" ? value : value === null ? t.form.empty : JSON.stringify(value);
  return <p className={classes.preview}>{missing.length > 0 ? t.form.missing(missing) : t.form.becomes(cut(words))}</p>;
}

function InsertValue({ label, values, onInsert }: { label: string; values: Values; onInsert: (path: string) => void }) {
  const [search, setSearch] = useState("");
  const combobox = useCombobox({
    onDropdownClose: () => {
      combobox.resetSelectedOption();
      setSearch("");
    },
    onDropdownOpen: () => combobox.focusSearchInput(),
  });
  const groups = values.groups.map((group) => ({ ...group, fields: matching(group.fields, search) }));
  return (
    <Combobox
      store={combobox}
      width={320}
      position="bottom-end"
      keepMounted={false}
      onOptionSubmit={(path) => {
        combobox.closeDropdown();
        onInsert(path);
      }}
    >
      <Combobox.Target withAriaAttributes={false}>
        <ActionIcon
          size={26}
          aria-label={t.form.insertInto(label)}
          title={t.form.insert}
          aria-haspopup="listbox"
          aria-expanded={combobox.dropdownOpened}
          onClick={() => combobox.toggleDropdown()}
        >
          <IconBraces size={15} aria-hidden />
        </ActionIcon>
      </Combobox.Target>
      <Combobox.Dropdown>
        <Combobox.Search
          value={search}
          placeholder={t.form.searchValues}
          role="combobox"
          aria-expanded
          aria-label={t.form.searchValues}
          onChange={(event) => {
            setSearch(event.currentTarget.value);
            combobox.selectFirstOption();
          }}
        />
        <Combobox.Options className={classes.options}>
          {groups.every(({ fields }) => fields.length === 0) && <Combobox.Empty>{t.form.noValues}</Combobox.Empty>}
          {groups.map(
            ({ step, fields }) =>
              fields.length > 0 && (
                <Combobox.Group key={step?.id ?? "event"} label={step ? titleOf(step) : t.form.fromEvent}>
                  {fields.map((field) => (
                    <Combobox.Option key={field.path} value={field.path}>
                      <Choice field={field} content={values.content} />
                    </Combobox.Option>
                  ))}
                </Combobox.Group>
              ),
          )}
        </Combobox.Options>
      </Combobox.Dropdown>
    </Combobox>
  );
}

function Choice({ field, content }: { field: Field; content: unknown }) {
  const { isFound, value } = lookUp(content, field.path);
  return (
    <span className={classes.choice}>
      <code>{field.path.replace(/^(event\.data|steps\.[^.]+\.output)\./, "")}</code>
      {isFound && (
        <span className={classes.about}>{cut(typeof value === "string" ? value : JSON.stringify(value))}</span>
      )}
    </span>
  );
}

const SHOWN = 20;

function matching(fields: readonly Field[], search: string): Field[] {
  const wanted = search.trim().toLowerCase();
  return fields.filter(({ path }) => path.toLowerCase().includes(wanted)).slice(0, wanted === "" ? SHOWN : 50);
}

function cut(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
