import { CodeBlock } from "@components/CodeBlock";
import { Confirm } from "@components/Confirm";
import { EmptyState } from "@components/EmptyState";
import { Loaded } from "@components/Loaded";
import { Panel } from "@components/Panel";
import { RequireScope } from "@components/RequireScope";
import { RowSkeletons } from "@components/Skeletons";
import { TimeAgo } from "@components/TimeAgo";
import { ActionIcon, Stack, Tabs, Text } from "@mantine/core";
import "@mantine/core/styles/Tabs.css";
import type { FeedConsumer, Webhook } from "@sdk/generated/models";
import { webhooks } from "@strings/webhooks";
import { IconInbox, IconTrash } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { feedSnippets } from "./feedSnippets";
import classes from "./parts.module.css";
import { consumerList, useForgetConsumer } from "./queries";

const t = webhooks.feed;

/** Shows who reads the feed of a pull webhook, their progress, and how to read it. */
export function Feed({ webhook }: { webhook: Webhook }) {
  return (
    <Stack gap="lg">
      <Panel title={t.consumers}>
        <Consumers webhookId={webhook.id} />
      </Panel>
      <Panel title={t.how}>
        <Text c="dimmed" mb="sm">
          {t.howText}
        </Text>
        <Tabs defaultValue="typescript" keepMounted={false}>
          <Tabs.List mb="sm">
            {Object.entries(t.ways).map(([way, label]) => (
              <Tabs.Tab key={way} value={way}>
                {label}
              </Tabs.Tab>
            ))}
          </Tabs.List>
          {feedSnippets(webhook.id).map(([way, code]) => (
            <Tabs.Panel key={way} value={way}>
              <CodeBlock label={t.ways[way]} value={code} />
            </Tabs.Panel>
          ))}
        </Tabs>
      </Panel>
    </Stack>
  );
}

function Consumers({ webhookId }: { webhookId: string }) {
  const query = useQuery(consumerList(webhookId));
  return (
    <Loaded query={query} skeleton={<RowSkeletons height={44} />}>
      {(consumers) =>
        consumers.length === 0 ? (
          <EmptyState icon={IconInbox} title={t.emptyTitle} text={t.empty} />
        ) : (
          <ConsumerTable webhookId={webhookId} consumers={consumers} />
        )
      }
    </Loaded>
  );
}

function ConsumerTable({ webhookId, consumers }: { webhookId: string; consumers: readonly FeedConsumer[] }) {
  const [forgotten, setForgotten] = useState<string | null>(null);
  const forget = useForgetConsumer(webhookId, () => setForgotten(null));
  return (
    <>
      <Text c="dimmed" mb="sm">
        {t.consumersText}
      </Text>
      {/* A feed has at most 20 consumers. */}
      <table className={classes.table} aria-label={t.listLabel}>
        <thead>
          <tr>
            <th scope="col">{t.columns.consumer}</th>
            <th scope="col" className={classes.spare}>
              {t.columns.position}
            </th>
            <th scope="col">{t.columns.lag}</th>
            <th scope="col">{t.columns.committed}</th>
            <td />
          </tr>
        </thead>
        <tbody>
          {consumers.map(({ consumer, sequence, lag, committedAt }) => (
            <tr key={consumer}>
              <th scope="row">{consumer}</th>
              <td className={classes.spare}>{sequence.toLocaleString("en")}</td>
              <td>{t.behind(lag)}</td>
              <td>
                <TimeAgo at={committedAt} />
              </td>
              <td>
                <RequireScope scope="webhooks:write">
                  <ActionIcon aria-label={t.forget(consumer)} onClick={() => setForgotten(consumer)}>
                    <IconTrash size={16} aria-hidden />
                  </ActionIcon>
                </RequireScope>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <Confirm
        opened={forgotten !== null}
        title={t.forgetTitle(forgotten ?? "")}
        action={t.forgetAction}
        isRunning={forget.isPending}
        onConfirm={() => forgotten !== null && forget.mutate(forgotten)}
        onClose={() => setForgotten(null)}
      >
        {t.forgetText}
      </Confirm>
    </>
  );
}
