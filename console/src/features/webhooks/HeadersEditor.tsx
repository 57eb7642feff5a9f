import { ActionIcon, Button, TextInput } from "@mantine/core";
import { webhookForm } from "@strings/webhook-form";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useRef } from "react";
import { type DraftHeader, newHeader } from "./draft";
import classes from "./form.module.css";

const MOST = 20;
const t = webhookForm.headers;

interface Props {
  value: readonly DraftHeader[];
  error?: string;
  /** The stored values will be lost, so the user must enter each of them again. */
  mustRetype: boolean;
  isReadOnly: boolean;
  onChange: (headers: readonly DraftHeader[]) => void;
}

/** Edits the webhook's custom headers. The API shows no values; a value that is not replaced stays stored. */
export function HeadersEditor({ value, error, mustRetype, isReadOnly, onChange }: Props) {
  const list = useRef<HTMLFieldSetElement>(null);

  function change(key: number, changed: Partial<DraftHeader>): void {
    onChange(value.map((header) => (header.key === key ? { ...header, ...changed } : header)));
  }

  function add(): void {
    onChange([...value, newHeader()]);
    focus("[data-header]:last-of-type input");
  }

  function remove(key: number): void {
    onChange(value.filter((header) => header.key !== key));
    focus("[data-add]");
  }

  function focus(selector: string): void {
    requestAnimationFrame(() => list.current?.querySelector<HTMLElement>(selector)?.focus());
  }

  return (
    <fieldset ref={list} className={classes.plain}>
      <legend className={classes.legend}>{t.title}</legend>
      <p className={classes.note}>{t.help}</p>
      {mustRetype && value.some(({ isStored }) => isStored) && (
        <p className={classes.warning} role="alert">
          {t.retype}
        </p>
      )}
      {value.map(({ key, name, value: content, isStored }) => (
        <div key={key} data-header className={classes.header}>
          <TextInput
            size="xs"
            aria-label={t.name}
            placeholder={t.name}
            spellCheck={false}
            autoComplete="off"
            readOnly={isStored}
            value={name}
            onChange={(event) => change(key, { name: event.currentTarget.value })}
          />
          {isStored ? (
            <div className={classes.stored}>
              <span className={classes.note}>{t.stored}</span>
              {!isReadOnly && (
                <Button
                  variant="subtle"
                  size="compact-xs"
                  aria-label={t.replace(name)}
                  onClick={() => change(key, { isStored: false })}
                >
                  {t.replaceWord}
                </Button>
              )}
            </div>
          ) : (
            <TextInput
              size="xs"
              aria-label={t.value}
              placeholder={t.value}
              spellCheck={false}
              autoComplete="off"
              value={content}
              onChange={(event) => change(key, { value: event.currentTarget.value })}
            />
          )}
          {!isReadOnly && (
            <ActionIcon aria-label={t.remove(name)} onClick={() => remove(key)}>
              <IconTrash size={16} aria-hidden />
            </ActionIcon>
          )}
        </div>
      ))}
      {error && (
        <p className={classes.error} role="alert">
          {error}
        </p>
      )}
      {!isReadOnly && (
        <div>
          <Button
            data-add
            variant="default"
            size="xs"
            leftSection={<IconPlus size={14} aria-hidden />}
            disabled={value.length >= MOST}
            onClick={add}
          >
            {t.add}
          </Button>
        </div>
      )}
    </fieldset>
  );
}
