import { type List, useList } from "@api/queries";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
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
import { useMemo } from "react";
import { EndpointName, HourlySparkline, SuccessRate } from "./parts";
import classes from "./parts.module.css";
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
  const matching = useMatching(list, q);
  const isSearching = q.trim() !== "";
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
        searchLabel={t.search.label}
        onSearch={(value) => void navigate({ search: (old) => ({ ...old, q: value || undefined }), replace: true })}
        filters={[
          {
            label: t.status,
            value: status,
            options: [{ value: "", label: t.allStatuses }, ...options(statuses.webhook)],
            onChange: (value) => void navigate({ search: (old) => ({ ...old, status: value || undefined }) }),
          },
        ]}
      />
      <DataList
        label={t.listLabel}
        list={matching}
        columns={COLUMNS}
        rowHeight={60}
        primary={(webhook, content) => (
          <Link to="/webhooks/$webhookId" params={{ webhookId: webhook.id }}>
            {content}
          </Link>
        )}
        empty={
          isSearching || status !== "" ? (
            <EmptyState icon={IconSearchOff} title={t.noMatchTitle} text={t.noMatch} />
          ) : (
            <EmptyState icon={IconWebhook} title={t.emptyTitle} text={t.empty}>
              {add}
            </EmptyState>
          )
        }
      />
      {isSearching && list.hasMore && (
        <div className={classes.searched}>
          <span role="status">{t.search.searched(list.items.length)}</span>
          <Button variant="default" size="xs" loading={list.isLoadingMore} onClick={list.loadMore}>
            {t.search.older}
          </Button>
        </div>
      )}
    </>
  );
}

/**
 * The webhooks of the list that match. The API does not search, so a search looks at what is loaded; people continue it
 * themselves, because it could load thousands of webhooks and find nothing.
 */
function useMatching(list: List<Webhook>, q: string): List<Webhook> {
  const wanted = q.trim().toLowerCase();
  return useMemo(() => {
    if (wanted === "") return list;
    const items = list.items.filter(({ name, url, id }) =>
      `${name}\n${url ?? ""}\n${id}`.toLowerCase().includes(wanted),
    );
    return { ...list, items, hasMore: false };
  }, [list, wanted]);
}

function options(words: Record<string, string>): { value: string; label: string }[] {
  return Object.entries(words).map(([value, label]) => ({ value, label }));
}
