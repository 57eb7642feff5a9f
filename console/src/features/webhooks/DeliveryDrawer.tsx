import { CodeBlock } from "@components/CodeBlock";
import { ErrorPanel } from "@components/ErrorPanel";
import { RequireScope } from "@components/RequireScope";
import { PageSkeleton } from "@components/Skeletons";
import { StatusBadge } from "@components/StatusBadge";
import { deliveryStatus } from "@components/statuses";
import { exactTime, TimeAgo } from "@components/TimeAgo";
import { Button, Drawer, Group, Text } from "@mantine/core";
import type { Attempt, DeliveryDetail } from "@sdk/generated/models";
import { common } from "@strings/common";
import { statuses } from "@strings/statuses";
import { webhooks as t } from "@strings/webhooks";
import { IconRefresh } from "@tabler/icons-react";
import { skipToken, useQuery } from "@tanstack/react-query";
import classes from "./parts.module.css";
import { deliveryDetail, isSuccess, useRetryDelivery } from "./queries";

interface Props {
  webhookId: string;
  deliveryId: string | null;
  onClose: () => void;
}

/** A delivery: what was sent, beside each attempt to send it. */
export function DeliveryDrawer({ webhookId, deliveryId, onClose }: Props) {
  const options = deliveryDetail(webhookId, deliveryId ?? "");
  const query = useQuery({ ...options, queryFn: deliveryId === null ? skipToken : options.queryFn });
  return (
    <Drawer
      opened={deliveryId !== null}
      onClose={onClose}
      position="right"
      size={1040}
      title={query.data?.eventType ?? t.delivery.title}
      closeButtonProps={{ "aria-label": common.actions.close }}
    >
      {query.error ? (
        <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />
      ) : query.data ? (
        <Content delivery={query.data} />
      ) : (
        <PageSkeleton />
      )}
    </Drawer>
  );
}

function Content({ delivery }: { delivery: DeliveryDetail }) {
  const retry = useRetryDelivery(delivery.webhookId, delivery.id);
  return (
    <>
      <Group justify="space-between" mb="lg">
        <Group gap="sm">
          <StatusBadge {...deliveryStatus(delivery.status)} />
          {delivery.statusReason && <Text c="dimmed">{statuses.reason(delivery.statusReason)}</Text>}
          {delivery.nextAttemptAt && (
            <Text c="dimmed">
              {t.delivery.next}: <TimeAgo at={delivery.nextAttemptAt} />
            </Text>
          )}
        </Group>
        <RequireScope scope="webhooks:write">
          <Button
            variant="default"
            loading={retry.isPending}
            leftSection={<IconRefresh size={16} aria-hidden />}
            onClick={() => retry.mutate(delivery.status === "DELIVERED")}
          >
            {t.delivery.retry}
          </Button>
        </RequireScope>
      </Group>
      <div className={classes.sides}>
        <section>
          <h3 className={classes.heading}>{t.delivery.payload}</h3>
          {delivery.payload === null ? (
            <Text c="dimmed">{t.delivery.payloadGone}</Text>
          ) : (
            <CodeBlock label={t.delivery.payload} value={delivery.payload} />
          )}
        </section>
        <section>
          <h3 className={classes.heading}>{t.delivery.attempts}</h3>
          {delivery.attempts.length === 0 && <Text c="dimmed">{t.delivery.noAttempts}</Text>}
          {delivery.attempts.toReversed().map((attempt, at) => (
            <AttemptPanel key={attempt.number} attempt={attempt} isOpen={at === 0} />
          ))}
        </section>
      </div>
    </>
  );
}

function AttemptPanel({ attempt, isOpen }: { attempt: Attempt; isOpen: boolean }) {
  const { statusCode, error, responseBody } = attempt;
  return (
    <details className={classes.attempt} open={isOpen}>
      <summary>
        <strong>{t.delivery.attempt(attempt.number)}</strong>
        <StatusBadge tone={isSuccess(statusCode) ? "success" : "danger"}>{t.delivery.status(statusCode)}</StatusBadge>
        <span className={classes.spread}>
          {t.detail.milliseconds(attempt.durationMs)} · {exactTime(attempt.startedAt)}
        </span>
      </summary>
      <div className={classes.attemptBody}>
        <Text size="sm" c="dimmed">
          {statuses.trigger[attempt.trigger]}
        </Text>
        {error && <Text size="sm">{error.detail}</Text>}
        {attempt.withheld && <Text size="sm">{attempt.withheld}</Text>}
        {statusCode !== null && (
          <div>
            <p className={classes.label}>{t.delivery.response}</p>
            {responseBody ? (
              <CodeBlock label={t.delivery.response} value={responseBody} />
            ) : (
              <Text size="sm" c="dimmed">
                {t.delivery.noBody}
              </Text>
            )}
            {attempt.truncated && (
              <Text size="xs" c="dimmed">
                {t.delivery.truncated}
              </Text>
            )}
          </div>
        )}
        <div>
          <p className={classes.label}>{t.delivery.requestHeaders}</p>
          <CodeBlock label={t.delivery.requestHeaders} value={headerLines(attempt.requestHeaders)} />
        </div>
        {Object.keys(attempt.responseHeaders).length > 0 && (
          <div>
            <p className={classes.label}>{t.delivery.responseHeaders}</p>
            <CodeBlock label={t.delivery.responseHeaders} value={headerLines(attempt.responseHeaders)} />
          </div>
        )}
      </div>
    </details>
  );
}

function headerLines(headers: Record<string, string>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n");
}
