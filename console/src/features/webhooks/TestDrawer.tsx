import { CodeBlock } from "@components/CodeBlock";
import { ErrorPanel } from "@components/ErrorPanel";
import { Button, Drawer, NativeSelect, Skeleton, Stack, Text } from "@mantine/core";
import type { Attempt, EventTypeInfo, Webhook } from "@sdk/generated/models";
import { explain } from "@strings/failures";
import { sending } from "@strings/sending";
import { IconSend } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { AttemptPanel } from "./Attempts";
import { Notice } from "./Notice";
import classes from "./parts.module.css";
import { eventTypes, isSuccess, useTestWebhook } from "./queries";

const t = sending.test;

interface Props {
  webhook: Webhook;
  opened: boolean;
  onClose: () => void;
}

/** Sends test events, and shows the response to each. */
export function TestDrawer({ webhook, opened, onClose }: Props) {
  return (
    <Drawer opened={opened} onClose={onClose} size={640} title={t.title}>
      <Content webhook={webhook} />
    </Drawer>
  );
}

interface Answer {
  eventType: string;
  attempt: Attempt;
}

function Content({ webhook }: { webhook: Webhook }) {
  const catalogue = useQuery(eventTypes);
  const [chosen, setChosen] = useState<string | null>(null);
  const [answers, setAnswers] = useState<readonly Answer[]>([]);
  const test = useTestWebhook(webhook.id);
  const groups = groupsOf(catalogue.data ?? [], webhook);
  const eventType = chosen ?? groups[0]?.items[0] ?? "";
  const sample = catalogue.data?.find(({ type }) => type === eventType)?.sample;

  function send(): void {
    test.mutate(eventType, { onSuccess: (attempt) => setAnswers([{ eventType, attempt }, ...answers]) });
  }

  if (catalogue.error) return <ErrorPanel error={catalogue.error} onRetry={() => void catalogue.refetch()} />;
  return (
    <Stack gap="md">
      <Text c="dimmed">{t.text}</Text>
      <div className={classes.testRow}>
        <NativeSelect
          label={t.type}
          value={eventType}
          data={groups}
          data-autofocus
          onChange={(event) => setChosen(event.currentTarget.value)}
        />
        <Button
          leftSection={<IconSend size={16} aria-hidden />}
          loading={test.isPending}
          disabled={eventType === ""}
          onClick={send}
        >
          {answers.length === 0 ? t.send : t.again}
        </Button>
      </div>
      {sample && (
        <details>
          <summary className={classes.disclosure}>{t.sample}</summary>
          <CodeBlock label={t.sample} value={sample} />
        </details>
      )}
      <section aria-label={t.results} aria-live="polite" aria-busy={test.isPending} className={classes.answers}>
        {test.isPending && (
          <>
            <Text size="sm" c="dimmed">
              {t.sending}
            </Text>
            <Skeleton height={56} radius="md" />
          </>
        )}
        {test.error !== null && <ErrorPanel error={test.error} onRetry={send} />}
        {!test.isPending && answers[0] && <Verdict attempt={answers[0].attempt} />}
        {answers.map(({ eventType: type, attempt }, at) => (
          <AttemptPanel
            key={attempt.startedAt + attempt.requestHeaders["webhook-id"]}
            attempt={attempt}
            title={type}
            isOpen={at === 0}
          />
        ))}
      </section>
    </Stack>
  );
}

/** Describes the result, and what to do if the test failed. */
function Verdict({ attempt: { statusCode, error, durationMs } }: { attempt: Attempt }) {
  if (isSuccess(statusCode)) {
    return (
      <Notice tone="success" title={t.answered(statusCode ?? 0)}>
        <p>{t.took(durationMs)}</p>
      </Notice>
    );
  }
  const kind = statusCode !== null && statusCode < 400 ? "redirect" : "http";
  const { title, advice } = explain(error?.code ?? `${kind}_${statusCode}`);
  return (
    <Notice tone="danger" title={title}>
      <p>{advice}</p>
    </Notice>
  );
}

function groupsOf(catalogue: readonly EventTypeInfo[], { eventTypes: own }: Webhook) {
  const isOwn = (type: string) => own.includes("*") || own.includes(type);
  const types = catalogue.map(({ type }) => type);
  return [
    { group: t.subscribed, items: types.filter(isOwn) },
    { group: t.others, items: types.filter((type) => !isOwn(type)) },
  ].filter(({ items }) => items.length > 0);
}
