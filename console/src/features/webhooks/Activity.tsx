import { useList } from "@api/queries";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
import { StatusBadge } from "@components/StatusBadge";
import { TimeAgo } from "@components/TimeAgo";
import type { LogEntry } from "@sdk/generated/models";
import { statuses } from "@strings/statuses";
import { webhooks } from "@strings/webhooks";
import { IconHistory } from "@tabler/icons-react";
import { logList } from "./queries";

const t = webhooks.logs;

const COLUMNS: readonly Column<LogEntry>[] = [
  {
    key: "action",
    title: t.columns.action,
    width: "1.4fr",
    render: ({ outcome }) => outcome === "FAILED" && <StatusBadge tone="danger">{t.failed}</StatusBadge>,
  },
  {
    key: "actor",
    title: t.columns.actor,
    width: "1.2fr",
    render: ({ actor }) => (actor === "patchbay" ? t.patchbay : actor),
  },
  {
    key: "detail",
    title: t.columns.detail,
    width: "2fr",
    hide: "small",
    render: ({ detail }) => <span title={detail ?? undefined}>{detail}</span>,
  },
  {
    key: "created",
    title: t.columns.created,
    width: "110px",
    align: "end",
    render: ({ createdAt }) => <TimeAgo at={createdAt} />,
  },
];

/** The activity log of a webhook: who changed it, and what. */
export function Activity({ webhookId }: { webhookId: string }) {
  const list = useList(logList(webhookId));
  return (
    <DataList
      label={t.listLabel}
      list={list}
      columns={COLUMNS}
      primary={({ action }, content) => (
        <>
          {t.actions[action] ?? statuses.unknown(action)} {content}
        </>
      )}
      empty={<EmptyState icon={IconHistory} title={t.emptyTitle} text={t.empty} />}
    />
  );
}
