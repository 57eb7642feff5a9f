import { listOptions, useChange } from "@api/queries";
import { api } from "@api/session";
import type {
  CreateIntegration,
  HealthItem,
  Integration,
  LogEntry,
  SetIntegrationStatus,
  UpdateIntegration,
} from "@sdk/generated/models";
import { integrations as t } from "@strings/integrations";
import { queryOptions } from "@tanstack/react-query";

const LIST = ["integrations", "list"] as const;

export const integrationList = listOptions<Integration>(LIST, (page, options) =>
  api().integrations.list({ ...page, limit: 100 }, options),
);

/** The health of the integrations, in the order of their list. */
export const integrationHealth = listOptions<HealthItem>(["integrations", "health"], (page, options) =>
  api().integrations.health({ ...page, limit: 100, kind: ["integration"] }, options),
);

export const integrationDetail = (id: string) =>
  queryOptions({ queryKey: ["integrations", id], queryFn: ({ signal }) => api().integrations.get(id, {}, { signal }) });

export const activityList = (id: string, action?: string) =>
  listOptions<LogEntry>(["integrations", id, "logs", { action }], (page, options) =>
    api().integrations.listLogs(id, { ...page, limit: 100, ...(action && { action }) }, options),
  );

export function useCreateIntegration(onDone: (created: Integration) => void) {
  return useChange({
    run: (body: CreateIntegration) => api().integrations.create(body),
    done: (created) => ({ message: t.form.created(created.name) }),
    changes: [LIST],
    showsErrors: true,
    onDone,
  });
}

export function useUpdateIntegration({ id, version }: Integration, done: (updated: Integration) => string) {
  return useChange({
    run: (body: UpdateIntegration) => api().integrations.update(id, body, { ifMatch: version }),
    done: (updated) => ({ message: done(updated) }),
    changes: [["integrations", id], LIST, ["marketplace"]],
    showsErrors: true,
  });
}

export function useSetIntegrationStatus({ id, version }: Integration) {
  return useChange({
    run: (status: SetIntegrationStatus["status"]) => api().integrations.setStatus(id, { status }, { ifMatch: version }),
    done: ({ status }) => ({ message: status === "INACTIVE" ? t.detail.paused : t.detail.resumed }),
    changes: [["integrations", id], LIST],
  });
}

export function useDeleteIntegration({ id, name, version }: Integration, onDone: () => void) {
  return useChange<void, void>({
    run: () => api().integrations.delete(id, { ifMatch: version }),
    done: t.detail.removed(name),
    changes: [LIST, ["connections"]],
    onDone,
  });
}
