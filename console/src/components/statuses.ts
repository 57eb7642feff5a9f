import type { Delivery, WebhookStatus } from "@sdk/generated/models";
import { statuses as t } from "@strings/statuses";
import type { Tone } from "./StatusBadge";

/** How each status looks; its words are in strings/en/statuses.ts. */
const WEBHOOK: Record<WebhookStatus, Tone> = {
  ACTIVE: "success",
  PAUSED: "info",
  INACTIVE: "neutral",
  DISABLED: "danger",
};

const DELIVERY: Record<keyof typeof t.delivery, Tone> = {
  PENDING: "info",
  SENDING: "info",
  RETRYING: "warning",
  HELD: "warning",
  DELIVERED: "success",
  FAILED: "danger",
  CANCELLED: "neutral",
};

export function webhookStatus(status: WebhookStatus): { tone: Tone; children: string } {
  return { tone: WEBHOOK[status], children: t.webhook[status] };
}

/** A status that this console does not know yet is shown as it is. */
export function deliveryStatus(status: Delivery["status"]): { tone: Tone; children: string } {
  if (!(status in DELIVERY)) return { tone: "neutral", children: t.unknown(status) };
  const known = status as keyof typeof DELIVERY;
  return { tone: DELIVERY[known], children: t.delivery[known] };
}
