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
import { useDisclosure } from "@mantine/hooks";
import type { Webhook } from "@sdk/generated/models";
import { statuses } from "@strings/statuses";
import { webhooks as t } from "@strings/webhooks";
import { IconPlus, IconSearchOff, IconWebhook } from "@tabler/icons-react";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { CreateWebhook } from "./CreateWebhook";
import { EndpointName, SuccessRate } from "./parts";
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
    width: "120px",
    align: "end",
    hide: "narrow",
    render: ({ stats }) => (stats?.deliveries ?? 0).toLocaleString("en"),
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
  const { q = "", status = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const list = useList(webhookList);
  const matching = useMatching(list, q, status);
  const [isCreating, dialog] = useDisclosure(false);
  const isFiltered = q !== "" || status !== "";
  const add = (
    <RequireScope scope="webhooks:write">
      <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={dialog.open}>
        {t.add}
      </Button>
    </RequireScope>
  );
  return (
    <RequireScope scope="webhooks:read" page>
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
          isFiltered ? (
            <EmptyState icon={IconSearchOff} title={t.noMatchTitle} text={t.noMatch} />
          ) : (
            <EmptyState icon={IconWebhook} title={t.emptyTitle} text={t.empty}>
              {add}
            </EmptyState>
          )
        }
      />
      <CreateWebhook opened={isCreating} onClose={dialog.close} />
    </RequireScope>
  );
}

/** The webhooks of the list that match. The API does not search, so the list loads on until it has enough rows. */
function useMatching(list: List<Webhook>, q: string, status: string): List<Webhook> {
  const items = useMemo(() => {
    const wanted = q.trim().toLowerCase();
    return list.items.filter(
      (webhook) =>
        (status === "" || webhook.status === status) &&
        `${webhook.name}\n${webhook.url ?? ""}\n${webhook.id}`.toLowerCase().includes(wanted),
    );
  }, [list.items, q, status]);
  return { ...list, items };
}

function options(words: Record<string, string>): { value: string; label: string }[] {
  return Object.entries(words).map(([value, label]) => ({ value, label }));
}
