import { useCan } from "@api/session";
import { ErrorPanel } from "@components/ErrorPanel";
import { ActionIcon, Button, NativeSelect, Select, Stack, Text, TextInput } from "@mantine/core";
import { flows as t } from "@strings/flows";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { skipToken, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import classes from "./flows.module.css";
import type { StepOf } from "./model/definition";
import { parseAny, writeAny } from "./model/input";
import { webhooks } from "./queries";
import { ValueInput, type Values } from "./ValueInput";

interface Props {
  step: StepOf<"webhook">;
  values: Values;
  errorOf: (path: string) => string | undefined;
  disabled: boolean;
  onChange: (step: StepOf<"webhook">, typing?: string) => void;
}

/** Which webhook, and what it gets: the event's data, or fields of one's own. */
export function WebhookForm({ step, values, errorOf, disabled, onChange }: Props) {
  const canRead = useCan("webhooks:read");
  const query = useQuery({ ...webhooks, queryFn: canRead ? webhooks.queryFn : skipToken });
  const push = (query.data ?? []).filter(({ kind }) => kind === "push");
  const options = push.map(({ id, name, url }) => ({ value: id, label: `${name} · ${url ?? ""}` }));
  const isListed = step.webhookId === "" || push.some(({ id }) => id === step.webhookId);
  const own = step.data ?? null;
  return (
    <Stack gap="sm">
      {query.error && <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />}
      <Select
        size="xs"
        label={t.form.webhook}
        description={t.form.webhookHelp}
        placeholder={t.summaries.noWebhook}
        searchable
        withAsterisk
        disabled={disabled}
        data={isListed ? options : [{ value: step.webhookId, label: step.webhookId }, ...options]}
        value={step.webhookId || null}
        error={errorOf("webhookId")}
        onChange={(webhookId) => onChange({ ...step, webhookId: webhookId ?? "" })}
      />
      {query.data && push.length === 0 && (
        <Text size="xs" c="dimmed">
          {t.form.noWebhooks} <Link to="/webhooks">{t.form.addWebhook}</Link>
        </Text>
      )}
      <NativeSelect
        size="xs"
        label={t.form.data}
        disabled={disabled}
        value={own === null ? "event" : "own"}
        data={[
          { value: "event", label: t.form.sendEvent },
          { value: "own", label: t.form.sendOwn },
        ]}
        onChange={(event) => {
          const { data: _, ...others } = step;
          onChange(event.currentTarget.value === "event" ? others : { ...step, data: { summary: "" } });
        }}
      />
      {own !== null && (
        <DataFields
          data={own}
          values={values}
          disabled={disabled}
          onChange={(data) => onChange({ ...step, data }, "data")}
        />
      )}
      {errorOf("data") && (
        <Text size="xs" c="var(--mantine-color-error)">
          {errorOf("data")}
        </Text>
      )}
    </Stack>
  );
}

interface Row {
  name: string;
  text: string;
}

interface DataProps {
  data: Record<string, unknown>;
  values: Values;
  disabled: boolean;
  onChange: (data: Record<string, unknown>) => void;
}

/** The fields of `data`. Rows with a name that is empty or there twice wait until it is not. */
function DataFields({ data, values, disabled, onChange }: DataProps) {
  const [rows, setRows] = useState(() => rowsOf(data));
  const [shown, setShown] = useState(data);
  if (shown !== data) {
    setShown(data);
    // Undo, or an edit of the JSON.
    if (JSON.stringify(dataOf(rows)) !== JSON.stringify(data)) setRows(rowsOf(data));
  }

  function change(changed: Row[]): void {
    setRows(changed);
    onChange(dataOf(changed));
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
                aria-label={t.form.fieldName(at + 1)}
                placeholder={t.form.field}
                value={row.name}
                disabled={disabled}
                onChange={(event) => set({ name: event.currentTarget.value })}
              />
              {!disabled && (
                <ActionIcon
                  aria-label={t.form.removeField(row.name || t.form.fieldName(at + 1))}
                  onClick={() => change(rows.filter((_, index) => index !== at))}
                >
                  <IconTrash size={16} aria-hidden />
                </ActionIcon>
              )}
            </div>
            <ValueInput
              label={t.form.fieldValue(row.name || t.form.fieldName(at + 1))}
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
          {t.form.addField}
        </Button>
      )}
    </div>
  );
}

function rowsOf(data: Record<string, unknown>): Row[] {
  return Object.entries(data).map(([name, value]) => ({ name, text: writeAny(value) }));
}

function dataOf(rows: readonly Row[]): Record<string, unknown> {
  return Object.fromEntries(rows.filter(({ name }) => name !== "").map(({ name, text }) => [name, parseAny(text)]));
}
