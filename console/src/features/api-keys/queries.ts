import { listOptions, useChange } from "@api/queries";
import { api } from "@api/session";
import type { ApiKey, ApiKeyWithSecret, CreateApiKey, LogEntry, UpdateApiKey, Webhook } from "@sdk/generated/models";
import { apiKeys as t } from "@strings/api-keys";
import { queryOptions } from "@tanstack/react-query";

const LIST = ["api-keys", "list"] as const;

export const apiKeyList = listOptions<ApiKey>(LIST, (page, options) =>
  api().apiKeys.list({ ...page, limit: 100 }, options),
);

export const apiKeyDetail = (id: string) =>
  queryOptions({ queryKey: ["api-keys", id], queryFn: ({ signal }) => api().apiKeys.get(id, { signal }) });

export const apiKeyLog = (id: string) =>
  listOptions<LogEntry>(["api-keys", id, "log"], (page, options) =>
    api().apiKeys.listLogs(id, { ...page, limit: 50 }, options),
  );

/** The webhooks that new keys can be delivered to. */
export const targetWebhooks = queryOptions({
  queryKey: ["webhooks", "targets"],
  queryFn: async ({ signal }): Promise<Webhook[]> => (await api().webhooks.list({ limit: 100 }, { signal })).items,
});

export function useCreateKey() {
  return useChange({ run: (body: CreateApiKey) => api().apiKeys.create(body), changes: [LIST], showsErrors: true });
}

export function useUpdateKey(key: Pick<ApiKey, "id" | "version">) {
  return useChange({
    run: (body: UpdateApiKey) => api().apiKeys.update(key.id, body, { ifMatch: key.version }),
    done: t.edit.done,
    changes: [["api-keys", key.id], LIST],
    showsErrors: true,
  });
}

export function useRotateKey(key: Pick<ApiKey, "id" | "version">) {
  return useChange<number, ApiKeyWithSecret>({
    run: (overlapSeconds) => api().apiKeys.rotate(key.id, { overlapSeconds }, { ifMatch: key.version }),
    changes: [["api-keys", key.id], LIST],
    showsErrors: true,
  });
}

export function useRevokeKey(key: Pick<ApiKey, "id" | "name">, onDone: () => void) {
  return useChange<void, void>({
    run: () => api().apiKeys.revoke(key.id),
    done: t.revoke.done(key.name),
    changes: [["api-keys", key.id], LIST],
    onDone,
  });
}
