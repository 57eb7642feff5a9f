import { useList } from "@api/queries";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
import { StatusBadge } from "@components/StatusBadge";
import { deliveryStatus } from "@components/statuses";
import { TimeAgo } from "@components/TimeAgo";
import { Toolbar } from "@components/Toolbar";
import type { Delivery } from "@sdk/generated/models";
import { statuses } from "@strings/statuses";
import { webhooks as t } from "@strings/webhooks";
import { IconInbox } from "@tabler/icons-react";
import { getRouteApi, Link } from "@tanstack/react-router";
import { DeliveryDrawer } from "./DeliveryDrawer";
import { deliveryList } from "./queries";

const route = getRouteApi("/pages/webhooks/$webhookId");

const COLUMNS: readonly Column<Delivery>[] = [
  { key: "event", title: t.deliveries.columns.event, width: "2fr", render: ({ eventType }) => eventType },
  {
    key: "status",
    title: t.deliveries.columns.status,
    width: "120px",
    render: ({ status }) => <StatusBadge {...deliveryStatus(status)} />,
  },
  {
    key: "reason",
    title: t.deliveries.columns.reason,
    width: "1.6fr",
    hide: "narrow",
    render: ({ statusReason }) => statusReason && statuses.reason(statusReason),
  },
  {
    key: "attempts",
    title: t.deliveries.columns.attempts,
    width: "90px",
    align: "end",
    hide: "small",
    render: ({ attemptCount, maxAttempts }) => t.deliveries.attemptsOf(attemptCount, maxAttempts),
  },
  {
    key: "created",
    title: t.deliveries.columns.created,
    width: "110px",
    align: "end",
    hide: "small",
    render: ({ createdAt }) => <TimeAgo at={createdAt} />,
  },
];

/** The deliveries of a webhook. The address names the open one, so that a link shows it. */
export function Deliveries({ webhookId }: { webhookId: string }) {
  const { status, delivery } = route.useSearch();
  const navigate = route.useNavigate();
  const list = useList(deliveryList(webhookId, status));
  return (
    <>
      <Toolbar
        filters={[
          {
            label: t.status,
            value: status ?? "",
            options: [
              { value: "", label: t.allStatuses },
              ...Object.entries(statuses.delivery).map(([value, label]) => ({ value, label })),
            ],
            onChange: (value) => void navigate({ search: { status: value || undefined } }),
          },
        ]}
      />
      <DataList
        label={t.deliveries.listLabel}
        list={list}
        columns={COLUMNS}
        rowHeight={48}
        primary={(item, content) => (
          <Link
            to="/webhooks/$webhookId"
            params={{ webhookId }}
            search={{ status, delivery: item.id }}
            aria-label={t.deliveries.open(item.eventType)}
          >
            {content}
          </Link>
        )}
        empty={
          <EmptyState
            icon={IconInbox}
            title={status ? t.deliveries.noMatch : t.deliveries.emptyTitle}
            text={status ? t.noMatch : t.deliveries.empty}
          />
        }
      />
      <DeliveryDrawer
        webhookId={webhookId}
        deliveryId={delivery ?? null}
        onClose={() => void navigate({ search: { status } })}
      />
    </>
  );
}
