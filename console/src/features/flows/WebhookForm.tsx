import { useCan } from "@api/session";
import { ErrorPanel } from "@components/ErrorPanel";
import { NativeSelect, Select, Stack, Text } from "@mantine/core";
import { flows as t } from "@strings/flows";
import { skipToken, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { FieldRows } from "./FieldRows";
import type { StepOf } from "./model/definition";
import { webhooks } from "./queries";
import type { Values } from "./ValueInput";

interface Props {
  step: StepOf<"webhook">;
  values: Values;
  errorOf: (path: string) => string | undefined;
  disabled: boolean;
  onChange: (step: StepOf<"webhook">, typing?: string) => void;
}

/** Selects the webhook, and what it gets: the event's data, or custom fields. */
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
        <FieldRows
          words={t.form.dataWords}
          fields={own}
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
