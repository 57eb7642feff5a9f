import { listOptions, useChange } from "@api/queries";
import { api } from "@api/session";
import type { CreateWebhook, Delivery, Webhook, WebhookStatus } from "@sdk/generated/models";
import { webhooks as t } from "@strings/webhooks";
import { queryOptions } from "@tanstack/react-query";

const LIST = ["webhooks", "list"] as const;

export const webhookList = listOptions<Webhook>(LIST, (page, options) =>
  api().webhooks.list({ ...page, limit: 100, include: ["stats"] }, options),
);

export const webhookDetail = (id: string) =>
  queryOptions({ queryKey: ["webhooks", id], queryFn: ({ signal }) => api().webhooks.get(id, { signal }) });

export const eventTypes = queryOptions({
  queryKey: ["event-types"],
  queryFn: async ({ signal }) => (await api().webhooks.eventTypes({ signal })).items,
  staleTime: Number.POSITIVE_INFINITY,
});

export const deliveryList = (id: string, status?: string) =>
  listOptions<Delivery>(["webhooks", id, "deliveries", { status }], (page, options) =>
    api().webhooks.listDeliveries(
      id,
      { ...page, limit: 100, ...(status && { status: status as DeliveryStatus }) },
      options,
    ),
  );

export const deliveryDetail = (id: string, deliveryId: string) =>
  queryOptions({
    queryKey: ["webhooks", id, "deliveries", deliveryId],
    queryFn: ({ signal }) => api().webhooks.getDelivery(id, deliveryId, { signal }),
  });

type DeliveryStatus = NonNullable<
  NonNullable<Parameters<ReturnType<typeof api>["webhooks"]["listDeliveries"]>[1]>["status"]
>;

/** Whether a receiver accepted the request. */
export function isSuccess(statusCode: number | null): boolean {
  return statusCode !== null && statusCode >= 200 && statusCode < 300;
}

export function useCreateWebhook() {
  return useChange({
    run: (body: CreateWebhook) => api().webhooks.create(body),
    changes: [LIST],
    showsErrors: true,
  });
}

export function useTestWebhook(id: string) {
  return useChange({
    run: () => api().webhooks.test(id),
    done: ({ statusCode }) => ({
      message: t.detail.tested(statusCode),
      tone: isSuccess(statusCode) ? "success" : "warning",
    }),
    changes: [["webhooks", id]],
  });
}

export function useSetStatus(id: string) {
  return useChange({
    run: (status: Exclude<WebhookStatus, "DISABLED">) => api().webhooks.setStatus(id, { status }),
    done: (webhook) => ({ message: webhook.status === "PAUSED" ? t.detail.paused : t.detail.resumed }),
    changes: [["webhooks", id], LIST],
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

export function useRetryDelivery(id: string, deliveryId: string) {
  return useChange({
    run: (isDelivered: boolean) => api().webhooks.retryDelivery(id, deliveryId, isDelivered ? { force: true } : {}),
    done: t.delivery.retried,
    changes: [["webhooks", id]],
  });
}
