import { useList } from "@api/queries";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
import { options } from "@components/options";
import { StatusBadge } from "@components/StatusBadge";
import { deliveryStatus } from "@components/statuses";
import { TimeAgo } from "@components/TimeAgo";
import { Toolbar } from "@components/Toolbar";
import type { Delivery, Webhook } from "@sdk/generated/models";
import { explain } from "@strings/failures";
import { statuses } from "@strings/statuses";
import { webhooks as t } from "@strings/webhooks";
import { IconInbox } from "@tabler/icons-react";
import { getRouteApi, Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
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
    render: ({ statusReason }) => statusReason && <Reason code={statusReason} />,
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

function Reason({ code }: { code: string }) {
  return <span title={explain(code).title}>{statuses.reason(code)}</span>;
}

interface Props {
  webhook: Pick<Webhook, "id" | "eventTypes">;
  /** The button that is shown while there are no deliveries. */
  action: ReactNode;
}

/** The deliveries of a webhook. The URL contains the open one, so that a link opens it. */
export function Deliveries({ webhook, action }: Props) {
  const { status, eventType, delivery } = route.useSearch();
  const navigate = route.useNavigate();
  const list = useList(deliveryList(webhook.id, { status, eventType }));
  const isFiltered = status !== undefined || eventType !== undefined;
  const types = webhook.eventTypes.filter((type) => type !== "*");
  return (
    <>
      <Toolbar
        filters={[
          {
            label: t.status,
            value: status,
            options: options(statuses.delivery, t.allStatuses),
            onChange: (value) => void navigate({ search: { status: value, eventType } }),
          },
          ...(types.length > 1
            ? [
                {
                  label: t.deliveries.eventType,
                  value: eventType,
                  options: [
                    { value: "", label: t.deliveries.allTypes },
                    ...types.map((type) => ({ value: type, label: type })),
                  ],
                  onChange: (value?: string) => void navigate({ search: { status, eventType: value } }),
                },
              ]
            : []),
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
            params={{ webhookId: webhook.id }}
            search={{ status, eventType, delivery: item.id }}
            aria-label={t.deliveries.open(item.eventType)}
          >
            {content}
          </Link>
        )}
        empty={
          isFiltered ? (
            <EmptyState icon={IconInbox} title={t.deliveries.noMatch} text={t.noMatch} />
          ) : (
            <EmptyState icon={IconInbox} title={t.deliveries.emptyTitle} text={t.deliveries.empty}>
              {action}
            </EmptyState>
          )
        }
      />
      <DeliveryDrawer
        webhookId={webhook.id}
        deliveryId={delivery ?? null}
        onClose={() => void navigate({ search: { status, eventType } })}
      />
    </>
  );
}
