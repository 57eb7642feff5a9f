import { matching, useList } from "@api/queries";
import { useCan } from "@api/session";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
import { Monogram } from "@components/Monogram";
import { options } from "@components/options";
import { StatusBadge } from "@components/StatusBadge";
import { connectionStatus } from "@components/statuses";
import { TimeAgo } from "@components/TimeAgo";
import { Toolbar } from "@components/Toolbar";
import { TwoLines } from "@components/TwoLines";
import type { Connection, Integration } from "@sdk/generated/models";
import { connections as t } from "@strings/connections";
import { statuses } from "@strings/statuses";
import { IconPlugConnected, IconSearchOff } from "@tabler/icons-react";
import { type ReactNode, useMemo } from "react";
import { ConnectionDrawer } from "./ConnectionDrawer";
import { connectionList, nameOf, secondNameOf } from "./connections";
import classes from "./integrations.module.css";
import { isConnectable } from "./kinds";

interface Filters {
  q?: string;
  status?: string;
  integration?: string;
}

/** The connection in the drawer, and its integration. */
export interface Opened {
  id: string;
  integrationId: string;
}

interface Props {
  /** If set, only the connections of this integration are listed. */
  integration?: Integration;
  /** The workspace's integrations, for names and choices. */
  integrations?: readonly Integration[];
  filters: Filters;
  open: Opened | null;
  onFilter: (changes: Filters) => void;
  onOpen: (opened: Opened | undefined) => void;
  /** The button of an empty list. */
  offer?: ReactNode;
}

/** Lists the connected accounts of an integration or of the workspace, with a drawer for one of them. */
export function ConnectionList({ integration, integrations = [], filters, open, onFilter, onOpen, offer }: Props) {
  const { q = "", status, integration: chosen } = filters;
  const list = useList(connectionList({ status, integrationId: integration?.id ?? chosen }));
  const shown = matching(list, { q }, ({ id, connectionId, account }) => [connectionId, account.label, account.id, id]);
  const seesIntegrations = useCan("integrations:read");
  const columns = useMemo(
    () => columnsOf(integration ? null : new Map(integrations.map((each) => [each.id, each]))),
    [integration, integrations],
  );
  const emptyText = integration ? t.emptyHere : integrations.some(isConnectable) ? t.empty : t.needIntegration;
  const isFiltered = q !== "" || status !== undefined || chosen !== undefined;
  return (
    <>
      <Toolbar
        search={q}
        searchLabel={t.search}
        onSearch={(value) => onFilter({ q: value || undefined })}
        filters={[
          {
            label: t.status,
            value: status,
            options: options(statuses.connection, t.allStatuses),
            onChange: (value) => onFilter({ status: value }),
          },
          ...(integration === undefined && seesIntegrations
            ? [
                {
                  label: t.integration,
                  value: chosen,
                  options: [
                    { value: "", label: t.allIntegrations },
                    ...integrations.map(({ id, name }) => ({ value: id, label: name })),
                  ],
                  onChange: (value?: string) => onFilter({ integration: value }),
                },
              ]
            : []),
        ]}
      />
      <DataList
        label={t.listLabel}
        list={shown}
        columns={columns}
        rowHeight={60}
        primary={(connection, content) => (
          <button type="button" onClick={() => onOpen({ id: connection.id, integrationId: connection.integrationId })}>
            {content}
          </button>
        )}
        empty={
          isFiltered ? (
            <EmptyState icon={IconSearchOff} title={t.noMatchTitle} text={t.noMatch} />
          ) : (
            <EmptyState icon={IconPlugConnected} title={t.emptyTitle} text={emptyText}>
              {offer}
            </EmptyState>
          )
        }
      />
      <ConnectionDrawer
        opened={open}
        known={list.items.find(({ id }) => id === open?.id)}
        onClose={() => onOpen(undefined)}
      />
    </>
  );
}

function columnsOf(integrations: ReadonlyMap<string, Integration> | null): readonly Column<Connection>[] {
  return [
    {
      key: "account",
      title: t.columns.account,
      width: "2fr",
      render: (connection) => <TwoLines first={nameOf(connection)} second={secondNameOf(connection)} />,
    },
    ...(integrations === null
      ? []
      : [
          {
            key: "integration",
            title: t.columns.integration,
            width: "1.4fr",
            hide: "small" as const,
            render: ({ integrationId, provider }: Connection) => {
              const name = integrations.get(integrationId)?.name ?? provider ?? integrationId;
              return (
                <span className={classes.named}>
                  <Monogram name={name} size="sm" />
                  <span className={classes.line}>{name}</span>
                </span>
              );
            },
          },
        ]),
    {
      key: "status",
      title: t.columns.status,
      width: "148px",
      render: ({ status }) => <StatusBadge {...connectionStatus(status)} />,
    },
    {
      key: "refreshed",
      title: t.columns.refreshed,
      width: "120px",
      align: "end",
      hide: "narrow",
      render: ({ lastRefreshedAt }) => <TimeAgo at={lastRefreshedAt} />,
    },
    {
      key: "expires",
      title: t.columns.expires,
      width: "120px",
      align: "end",
      hide: "narrow",
      render: ({ expiresAt }) => <TimeAgo at={expiresAt} fallback={t.noExpiry} />,
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
}
