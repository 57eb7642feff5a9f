import { useList } from "@api/queries";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
import { options } from "@components/options";
import { StatusBadge } from "@components/StatusBadge";
import { TimeAgo } from "@components/TimeAgo";
import { Toolbar } from "@components/Toolbar";
import type { LogEntry } from "@sdk/generated/models";
import { integrations as t } from "@strings/integrations";
import { IconHistory } from "@tabler/icons-react";
import { getRouteApi } from "@tanstack/react-router";
import { actorOf } from "./kinds";
import { activityList } from "./queries";

const route = getRouteApi("/pages/integrations/$integrationId");

const COLUMNS: readonly Column<LogEntry>[] = [
  {
    key: "action",
    title: t.activity.columns.action,
    width: "1.4fr",
    render: ({ action }) => t.actions[action] ?? action,
  },
  {
    key: "outcome",
    title: "",
    width: "90px",
    hide: "small",
    render: ({ outcome }) => outcome === "FAILED" && <StatusBadge tone="danger">{t.activity.failed}</StatusBadge>,
  },
  {
    key: "detail",
    title: t.activity.columns.detail,
    width: "2fr",
    hide: "narrow",
    render: ({ detail }) => detail && <span title={detail}>{detail}</span>,
  },
  {
    key: "actor",
    title: t.activity.columns.actor,
    width: "1fr",
    hide: "narrow",
    render: ({ actor }) => actorOf(actor),
  },
  {
    key: "at",
    title: t.activity.columns.at,
    width: "110px",
    align: "end",
    render: ({ createdAt }) => <TimeAgo at={createdAt} />,
  },
];

/** The activity log of an integration: who did what. */
export function Activity({ integrationId }: { integrationId: string }) {
  const { action } = route.useSearch();
  const navigate = route.useNavigate();
  const list = useList(activityList(integrationId, action));
  return (
    <>
      <Toolbar
        filters={[
          {
            label: t.activity.filter,
            value: action,
            options: options(t.actions, t.activity.all),
            onChange: (value) => void navigate({ search: (old) => ({ ...old, action: value }) }),
          },
        ]}
      />
      <DataList
        label={t.activity.listLabel}
        list={list}
        columns={COLUMNS}
        rowHeight={44}
        primary={(_, content) => content}
        empty={<EmptyState icon={IconHistory} title={t.activity.emptyTitle} text={t.activity.empty} />}
      />
    </>
  );
}
