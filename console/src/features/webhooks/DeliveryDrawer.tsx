import { CodeBlock } from "@components/CodeBlock";
import { Confirm } from "@components/Confirm";
import { Loaded } from "@components/Loaded";
import { RequireScope } from "@components/RequireScope";
import { StatusBadge } from "@components/StatusBadge";
import { deliveryStatus } from "@components/statuses";
import { TimeAgo } from "@components/TimeAgo";
import { Button, Drawer, Group, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { DeliveryDetail } from "@sdk/generated/models";
import { explain } from "@strings/failures";
import { webhooks as t } from "@strings/webhooks";
import { IconRefresh } from "@tabler/icons-react";
import { skipToken, useQuery } from "@tanstack/react-query";
import { AttemptPanel } from "./Attempts";
import { Notice } from "./Notice";
import classes from "./parts.module.css";
import { deliveryDetail, useRetryDelivery } from "./queries";

interface Props {
  webhookId: string;
  deliveryId: string | null;
  onClose: () => void;
}

/** Shows a delivery: the reason for its status, what was sent, and each attempt to send it. */
export function DeliveryDrawer({ webhookId, deliveryId, onClose }: Props) {
  const options = deliveryDetail(webhookId, deliveryId ?? "");
  const query = useQuery({ ...options, queryFn: deliveryId === null ? skipToken : options.queryFn });
  return (
    <Drawer
      opened={deliveryId !== null}
      onClose={onClose}
      size={1040}
      title={query.data?.eventType ?? t.delivery.title}
    >
      <Loaded query={query}>{(delivery) => <Content delivery={delivery} />}</Loaded>
    </Drawer>
  );
}

function Content({ delivery }: { delivery: DeliveryDetail }) {
  return (
    <>
      <Group justify="space-between" mb="md">
        <Group gap="sm">
          <StatusBadge {...deliveryStatus(delivery.status)} />
          <code className={classes.id}>{delivery.id}</code>
        </Group>
        <RequireScope scope="webhooks:write">
          <SendAgain delivery={delivery} />
        </RequireScope>
      </Group>
      <Why delivery={delivery} />
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
            <AttemptPanel
              key={attempt.number}
              attempt={attempt}
              title={t.delivery.attempt(attempt.number)}
              isOpen={at === 0}
            />
          ))}
        </section>
      </div>
    </>
  );
}

/** Explains the delivery's status: why it has it, what to do, and what happens next. */
function Why({ delivery }: { delivery: DeliveryDetail }) {
  const { status, statusReason, attemptCount, maxAttempts, nextAttemptAt } = delivery;
  const attempts = t.delivery.exhausted(attemptCount);
  if (status === "DELIVERED") {
    return (
      <Notice tone="success" title={t.delivery.succeeded}>
        <p>{attempts}</p>
      </Notice>
    );
  }
  if (statusReason === null) {
    return <Notice tone="info" title={t.delivery.waits} />;
  }
  const { title, advice } = explain(statusReason);
  return (
    <Notice tone={deliveryStatus(status).tone} title={title}>
      <p>{advice}</p>
      <p>
        {attempts} {status === "RETRYING" && maxAttempts > attemptCount && t.delivery.more(maxAttempts - attemptCount)}
        {nextAttemptAt && (
          <>
            {" "}
            {t.delivery.next}: <TimeAgo at={nextAttemptAt} />
          </>
        )}
      </p>
    </Notice>
  );
}

/** Sends a delivery again. A successful one needs a confirmation; one that is being sent cannot be sent again. */
function SendAgain({ delivery: { id, webhookId, status } }: { delivery: DeliveryDetail }) {
  const [isAsking, confirm] = useDisclosure(false);
  const retry = useRetryDelivery(webhookId, id, confirm.close);
  const isDelivered = status === "DELIVERED";
  if (status === "PENDING" || status === "SENDING") return null;
  return (
    <>
      <Button
        variant={isDelivered ? "default" : "filled"}
        loading={retry.isPending}
        leftSection={<IconRefresh size={16} aria-hidden />}
        onClick={() => (isDelivered ? confirm.open() : retry.mutate(false))}
      >
        {t.delivery.retry}
      </Button>
      <Confirm
        opened={isAsking}
        title={t.delivery.againTitle}
        action={t.delivery.retry}
        danger={false}
        isRunning={retry.isPending}
        onConfirm={() => retry.mutate(true)}
        onClose={confirm.close}
      >
        {t.delivery.againText}
      </Confirm>
    </>
  );
}
