import { listOptions, useChange } from "@api/queries";
import { api } from "@api/session";
import { ApiError } from "@sdk/errors";
import type {
  CreateWebhook,
  Delivery,
  LogEntry,
  Replay,
  ReplayPreview,
  RotateSecret,
  Task,
  UpdateWebhook,
  Webhook,
  WebhookStatus,
} from "@sdk/generated/models";
import { sending } from "@strings/sending";
import { webhookForm } from "@strings/webhook-form";
import { webhooks as t } from "@strings/webhooks";
import { queryOptions, useQueryClient } from "@tanstack/react-query";

const LIST = ["webhooks", "list"] as const;
const LOOK_MS = 2_000;
const NEW_MS = 10_000;
/** A delivery that waits for its next attempt is refetched if the attempt is due within this time. */
const SOON_MS = 60_000;

export const webhookList = (status?: string) =>
  listOptions<Webhook>([...LIST, { status }], (page, options) =>
    api().webhooks.list(
      { ...page, limit: 100, include: ["stats"], ...(status && { status: status as WebhookStatus }) },
      options,
    ),
  );

export const webhookDetail = (id: string) =>
  queryOptions({ queryKey: ["webhooks", id], queryFn: ({ signal }) => api().webhooks.get(id, { signal }) });

export const eventTypes = queryOptions({
  queryKey: ["event-types"],
  queryFn: async ({ signal }) => (await api().webhooks.eventTypes({ signal })).items,
  staleTime: Number.POSITIVE_INFINITY,
});

/** The deliveries of a webhook. New ones appear automatically until the user scrolls to older ones. */
export function deliveryList(id: string, filter: { status?: string; eventType?: string }) {
  const options = listOptions<Delivery>(["webhooks", id, "deliveries", filter], (page, init) =>
    api().webhooks.listDeliveries(
      id,
      {
        ...page,
        limit: 100,
        ...(filter.status && { status: filter.status as DeliveryStatus }),
        ...(filter.eventType && { eventType: filter.eventType }),
      },
      init,
    ),
  );
  return {
    ...options,
    refetchInterval: ({ state }: { state: { data?: { pages: unknown[] } } }) =>
      state.data?.pages.length === 1 ? NEW_MS : false,
  } as typeof options;
}

/** A delivery. It is refetched until it has ended, unless its next attempt is far away. */
export const deliveryDetail = (id: string, deliveryId: string) =>
  queryOptions({
    queryKey: ["webhooks", id, "deliveries", deliveryId],
    queryFn: ({ signal }) => api().webhooks.getDelivery(id, deliveryId, { signal }),
    refetchInterval: ({ state: { data } }) => (data !== undefined && changesSoon(data) ? LOOK_MS : false),
  });

type DeliveryStatus = NonNullable<
  NonNullable<Parameters<ReturnType<typeof api>["webhooks"]["listDeliveries"]>[1]>["status"]
>;

export const logList = (id: string) =>
  listOptions<LogEntry>(["webhooks", id, "logs"], (page, options) =>
    api().webhooks.listLogs(id, { ...page, limit: 50 }, options),
  );

export const consumerList = (id: string) =>
  queryOptions({
    queryKey: ["webhooks", id, "consumers"],
    queryFn: async ({ signal }) => (await api().webhooks.listConsumers(id, { signal })).items,
  });

/** The replays of a webhook. They are refetched as long as one of them is running. */
export function replayList(id: string) {
  const options = listOptions<Task>(["tasks", "list", { webhookId: id }], (page, init) =>
    api().tasks.list({ ...page, limit: 50, webhookId: id }, init),
  );
  return {
    ...options,
    refetchInterval: ({ state }: { state: { data?: { pages: { items: Task[] }[] } } }) =>
      state.data?.pages.some(({ items }) => items.some(({ status }) => status === "RUNNING")) ? LOOK_MS : false,
  } as typeof options;
}

/** The number of deliveries that a replay would send again. Nothing is sent. */
export const replayCount = (id: string, replay: Replay) =>
  queryOptions({
    queryKey: ["webhooks", id, "replay", replay],
    queryFn: async ({ signal }) => {
      const counted = await api().webhooks.replay(id, { ...replay, dryRun: true }, { signal });
      return counted as ReplayPreview;
    },
  });

/** Whether the receiver accepted the request. */
export function isSuccess(statusCode: number | null): boolean {
  return statusCode !== null && statusCode >= 200 && statusCode < 300;
}

/** Whether someone else has changed the version that a change is based on. */
export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status === 412;
}

export function useCreateWebhook() {
  return useChange({
    run: (body: CreateWebhook) => api().webhooks.create(body),
    changes: [LIST],
    showsErrors: true,
  });
}

export function useUpdateWebhook(id: string) {
  const queries = useQueryClient();
  return useChange({
    run: async ({ changes, version }: { changes: UpdateWebhook; version: number }) => {
      try {
        return await api().webhooks.update(id, changes, { ifMatch: version });
      } catch (error) {
        // The form compares its changes with the latest version.
        if (isConflict(error)) await queries.invalidateQueries({ queryKey: ["webhooks", id], exact: true });
        throw error;
      }
    },
    done: webhookForm.saved,
    changes: [["webhooks", id], LIST],
    showsErrors: true,
  });
}

export function useRotateSecret(id: string) {
  return useChange({
    run: (body: RotateSecret) => api().webhooks.rotateSecret(id, body),
    changes: [["webhooks", id]],
    showsErrors: true,
  });
}

export function useTestWebhook(id: string) {
  return useChange({
    run: (eventType: string) => api().webhooks.test(id, { eventType }),
    changes: [],
    showsErrors: true,
  });
}

interface NewStatus {
  status: Exclude<WebhookStatus, "DISABLED">;
  statusReason?: string;
}

const STATUS_WORDS = { ACTIVE: t.detail.resumed, PAUSED: t.detail.paused, INACTIVE: t.detail.deactivated };

export function useSetStatus(id: string, onDone?: (() => void) | undefined) {
  return useChange({
    run: (body: NewStatus) => api().webhooks.setStatus(id, body),
    done: (_, { status }) => ({ message: STATUS_WORDS[status] }),
    changes: [["webhooks", id], LIST],
    ...(onDone && { onDone }),
  });
}

export function useDeleteWebhook(webhook: Pick<Webhook, "id" | "name" | "version">, onDone: () => void) {
  return useChange<void, void>({
    run: () => api().webhooks.delete(webhook.id, { ifMatch: webhook.version }),
    done: t.detail.removed(webhook.name),
    changes: [LIST],
    onDone,
  });
}

export function useRetryDelivery(id: string, deliveryId: string, onDone?: () => void) {
  return useChange({
    run: (isDelivered: boolean) => api().webhooks.retryDelivery(id, deliveryId, isDelivered ? { force: true } : {}),
    done: t.delivery.retried,
    changes: [["webhooks", id]],
    ...(onDone && { onDone }),
  });
}

export function useReplay(id: string, onDone: () => void) {
  return useChange({
    run: (replay: Replay) => api().webhooks.replay(id, replay),
    done: sending.again.started,
    changes: [["tasks"], ["webhooks", id]],
    showsErrors: true,
    onDone,
  });
}

export function useForgetConsumer(id: string, onDone: () => void) {
  return useChange({
    run: (consumer: string) => api().webhooks.deleteConsumer(id, consumer),
    done: (_, consumer) => ({ message: t.feed.forgotten(consumer) }),
    changes: [["webhooks", id, "consumers"]],
    onDone,
  });
}

function changesSoon({ status, nextAttemptAt }: Delivery): boolean {
  if (status === "PENDING" || status === "SENDING") return true;
  return status === "RETRYING" && nextAttemptAt !== null && Date.parse(nextAttemptAt) - Date.now() < SOON_MS;
}
