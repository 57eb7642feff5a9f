import type {
  ConnectionStatus,
  ConnectSessionStatus,
  Delivery,
  IntegrationStatus,
  ReviewStatus,
  WebhookStatus,
} from "@sdk/generated/models";
import { statuses as t } from "@strings/statuses";
import type { Tone } from "./StatusBadge";

/** The tone of each status; its text is in strings/en/statuses.ts. */
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

const INTEGRATION: Record<IntegrationStatus, Tone> = {
  ACTIVE: "success",
  PENDING_SETUP: "warning",
  INACTIVE: "neutral",
  ERROR: "danger",
};

const CONNECTION: Record<ConnectionStatus, Tone> = {
  ACTIVE: "success",
  EXPIRED: "danger",
  ERROR: "warning",
  REVOKED: "neutral",
};

const LINK: Record<ConnectSessionStatus, Tone> = {
  OPEN: "info",
  COMPLETED: "success",
  REVOKED: "neutral",
  EXPIRED: "neutral",
};

const REVIEW: Record<ReviewStatus, Tone> = { PENDING: "info", APPROVED: "success", REJECTED: "danger" };

export function integrationStatus(status: IntegrationStatus): { tone: Tone; children: string } {
  return { tone: INTEGRATION[status], children: t.integration[status] };
}

export function connectionStatus(status: ConnectionStatus): { tone: Tone; children: string } {
  return { tone: CONNECTION[status], children: t.connection[status] };
}

export function linkStatus(status: ConnectSessionStatus): { tone: Tone; children: string } {
  return { tone: LINK[status], children: t.link[status] };
}

export function reviewStatus(status: ReviewStatus): { tone: Tone; children: string } {
  return { tone: REVIEW[status], children: t.review[status] };
}

export function webhookStatus(status: WebhookStatus): { tone: Tone; children: string } {
  return { tone: WEBHOOK[status], children: t.webhook[status] };
}

/** A status that this console does not know yet is shown unchanged. */
export function deliveryStatus(status: Delivery["status"]): { tone: Tone; children: string } {
  if (!(status in DELIVERY)) return { tone: "neutral", children: t.unknown(status) };
  const known = status as keyof typeof DELIVERY;
  return { tone: DELIVERY[known], children: t.delivery[known] };
}
