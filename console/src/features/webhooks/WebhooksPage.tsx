import { matching, useList } from "@api/queries";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
import { options } from "@components/options";
import { PageHeader } from "@components/PageHeader";
import { RequireScope } from "@components/RequireScope";
import { StatusBadge } from "@components/StatusBadge";
import { webhookStatus } from "@components/statuses";
import { TimeAgo } from "@components/TimeAgo";
import { Toolbar } from "@components/Toolbar";
import { Button } from "@mantine/core";
import type { Webhook } from "@sdk/generated/models";
import { statuses } from "@strings/statuses";
import { webhooks as t } from "@strings/webhooks";
import { IconPlus, IconSearchOff, IconWebhook } from "@tabler/icons-react";
import { getRouteApi, Link } from "@tanstack/react-router";
import { EndpointName, HourlySparkline, SuccessRate } from "./parts";
import { webhookList } from "./queries";

const route = getRouteApi("/pages/webhooks");

const COLUMNS: readonly Column<Webhook>[] = [
  { key: "name", title: t.columns.name, width: "2.4fr", render: (webhook) => <EndpointName webhook={webhook} /> },
  {
    key: "status",
    title: t.columns.status,
    width: "110px",
    render: ({ status }) => <StatusBadge {...webhookStatus(status)} />,
  },
  {
    key: "eventTypes",
    title: t.columns.eventTypes,
    width: "130px",
    hide: "narrow",
    render: ({ eventTypes }) => (eventTypes.includes("*") ? t.allTypes : t.types(eventTypes.length)),
  },
  {
    key: "successRate",
    title: t.columns.successRate,
    width: "130px",
    hide: "small",
    render: ({ stats }) => <SuccessRate rate={stats?.successRate ?? null} />,
  },
  {
    key: "deliveries",
    title: t.columns.deliveries,
    width: "190px",
    align: "end",
    hide: "narrow",
    render: ({ stats }) => stats && <HourlySparkline stats={stats} />,
  },
  {
    key: "created",
    title: t.columns.created,
    width: "110px",
    align: "end",
    hide: "narrow",
    render: ({ createdAt }) => <TimeAgo at={createdAt} />,
  },
];

export function WebhooksPage() {
  return (
    <RequireScope scope="webhooks:read" page>
      <Webhooks />
    </RequireScope>
  );
}

function Webhooks() {
  const { q = "", status = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const list = useList(webhookList(status));
  const shown = matching(list, { q }, ({ name, url, id }) => [name, url, id]);
  const add = (
    <RequireScope scope="webhooks:write">
      <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => void navigate({ to: "/webhooks/new" })}>
        {t.add}
      </Button>
    </RequireScope>
  );
  return (
    <>
      <PageHeader title={t.title} text={t.text}>
        {add}
      </PageHeader>
      <Toolbar
        search={q}
        searchLabel={t.search}
        onSearch={(value) => void navigate({ search: (old) => ({ ...old, q: value || undefined }), replace: true })}
        filters={[
          {
            label: t.status,
            value: status,
            options: options(statuses.webhook, t.allStatuses),
            onChange: (value) => void navigate({ search: (old) => ({ ...old, status: value }) }),
          },
        ]}
      />
      <DataList
        label={t.listLabel}
        list={shown}
        columns={COLUMNS}
        rowHeight={60}
        primary={(webhook, content) => (
          <Link to="/webhooks/$webhookId" params={{ webhookId: webhook.id }}>
            {content}
          </Link>
        )}
        empty={
          q !== "" || status !== "" ? (
            <EmptyState icon={IconSearchOff} title={t.noMatchTitle} text={t.noMatch} />
          ) : (
            <EmptyState icon={IconWebhook} title={t.emptyTitle} text={t.empty}>
              {add}
            </EmptyState>
          )
        }
      />
    </>
  );
}
