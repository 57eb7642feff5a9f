import { listOptions, useChange } from "@api/queries";
import { api } from "@api/session";
import type {
  Connection,
  ConnectionStatus,
  ConnectSession,
  ConnectSessionLink,
  CreateConnectSession,
} from "@sdk/generated/models";
import { connections as t } from "@strings/connections";
import { type QueryKey, queryOptions } from "@tanstack/react-query";

/** The queries to refetch after an account was connected or disconnected. */
export const CONNECTED: readonly QueryKey[] = [["connections"], ["integrations"], ["connect-links"]];

export interface ConnectionFilters {
  status?: string;
  integrationId?: string;
}

export const connectionList = ({ status, integrationId }: ConnectionFilters) =>
  listOptions<Connection>(["connections", "list", { status, integrationId }], (page, options) => {
    const query = { ...page, limit: 100, ...(status && { status: status as ConnectionStatus }) };
    return integrationId === undefined
      ? api().connections.listAll(query, options)
      : api().connections.list(integrationId, query, options);
  });

export const connectionDetail = (integrationId: string, id: string) =>
  queryOptions({
    queryKey: ["connections", id],
    queryFn: ({ signal }) => api().connections.get(integrationId, id, { signal }),
  });

/** The latest entries of the integration's log. An entry about a connection starts with its name. */
export const recentActivity = (integrationId: string) =>
  queryOptions({
    queryKey: ["integrations", integrationId, "logs", "recent"],
    queryFn: async ({ signal }) => (await api().integrations.listLogs(integrationId, { limit: 100 }, { signal })).items,
  });

export function useCreateConnection(onDone: (connection: Connection) => void) {
  return useChange({
    run: ({
      integrationId,
      ...body
    }: {
      integrationId: string;
      connectionId: string;
      credentials: Record<string, string>;
    }) => api().connections.create(integrationId, body),
    done: (connection) => ({ message: t.dialog.connected(nameOf(connection)) }),
    changes: CONNECTED,
    showsErrors: true,
    onDone,
  });
}

export function useRefresh({ id, integrationId }: Connection) {
  return useChange<void, Connection>({
    run: () => api().connections.refresh(integrationId, { connectionId: id }),
    done: t.detail.refreshed,
    changes: CONNECTED,
  });
}

export function useDisconnect(connection: Connection, onDone: () => void) {
  return useChange<void, void>({
    run: () => api().connections.delete(connection.integrationId, connection.id),
    done: t.detail.disconnected(nameOf(connection)),
    changes: CONNECTED,
    onDone,
  });
}

/**
 * The display name of a connection: the account's name at the provider, or otherwise the name that it got here. If a
 * connect link has no name, the name is the link's ID, which means nothing to users.
 */
export function nameOf({ account, connectionId }: Connection): string {
  return account.label ?? (connectionId.startsWith("cse_") ? t.unnamed : connectionId);
}

/** A second name of the connection, which lists show below the first. */
export function secondNameOf({ id, account, connectionId }: Connection): string {
  return account.label === null || connectionId.startsWith("cse_") ? (account.id ?? id) : connectionId;
}

// ── connect links ─────────────────────────────────────────────────────────────────────────────────────

export const linkList = listOptions<ConnectSession>(["connect-links", "list"], (page, options) =>
  api().connectSessions.list({ ...page, limit: 100 }, options),
);

export function useCreateLink(onDone: (link: ConnectSessionLink) => void) {
  return useChange({
    run: (body: CreateConnectSession) => api().connectSessions.create(body),
    changes: [["connect-links"]],
    showsErrors: true,
    onDone,
  });
}

export function useRevokeLink(onDone: () => void) {
  return useChange<string, void>({
    run: (id) => api().connectSessions.revoke(id),
    done: t.links.revoked,
    changes: [["connect-links"]],
    onDone,
  });
}
