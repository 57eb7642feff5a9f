import { ActionIcon, Button, TextInput } from "@mantine/core";
import type { FieldWords } from "@strings/flows";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import classes from "./flows.module.css";
import { parseAny, writeAny } from "./model/input";
import { ValueInput, type Values } from "./ValueInput";

interface Row {
  name: string;
  text: string;
}

interface Props {
  words: FieldWords;
  fields: Readonly<Record<string, unknown>>;
  values: Values;
  disabled: boolean;
  /** Whether every value is plain text. Otherwise, JSON in the text is parsed. */
  isText?: boolean;
  onChange: (fields: Record<string, unknown>) => void;
}

/** Rows with a name and a value. Rows without a name are ignored; if a name occurs twice, the last row wins. */
export function FieldRows({ words, fields, values, disabled, isText = false, onChange }: Props) {
  const [rows, setRows] = useState(() => rowsOf(fields, isText));
  const [shown, setShown] = useState(fields);
  if (shown !== fields) {
    setShown(fields);
    // The fields changed by undo, or by an edit of the JSON.
    if (JSON.stringify(fieldsOf(rows, isText)) !== JSON.stringify(fields)) setRows(rowsOf(fields, isText));
  }

  function change(changed: Row[]): void {
    setRows(changed);
    onChange(fieldsOf(changed, isText));
  }

  return (
    <div className={classes.fields}>
      {rows.map((row, at) => {
        const set = (part: Partial<Row>) =>
          change(rows.map((other, index) => (index === at ? { ...other, ...part } : other)));
        return (
          <div key={at} className={classes.field}>
            <div className={classes.fieldHead}>
              <TextInput
                size="xs"
                aria-label={words.name(at + 1)}
                placeholder={words.placeholder}
                value={row.name}
                disabled={disabled}
                onChange={(event) => set({ name: event.currentTarget.value })}
              />
              {!disabled && (
                <ActionIcon
                  aria-label={words.remove(row.name || words.name(at + 1))}
                  onClick={() => change(rows.filter((_, index) => index !== at))}
                >
                  <IconTrash size={16} aria-hidden />
                </ActionIcon>
              )}
            </div>
            <ValueInput
              label={words.value(row.name || words.name(at + 1))}
              hideLabel
              multiline={row.text.length > 40}
              value={row.text}
              values={values}
              disabled={disabled}
              onChange={(text) => set({ text })}
            />
          </div>
        );
      })}
      {!disabled && (
        <Button
          variant="default"
          size="xs"
          leftSection={<IconPlus size={14} aria-hidden />}
          onClick={() => change([...rows, { name: "", text: "" }])}
        >
          {words.add}
        </Button>
      )}
    </div>
  );
}

function rowsOf(fields: Readonly<Record<string, unknown>>, isText: boolean): Row[] {
  return Object.entries(fields).map(([name, value]) => ({ name, text: isText ? String(value) : writeAny(value) }));
}

function fieldsOf(rows: readonly Row[], isText: boolean): Record<string, unknown> {
  const named = rows.filter(({ name }) => name !== "");
  return Object.fromEntries(named.map(({ name, text }) => [name, isText ? text : parseAny(text)]));
}
