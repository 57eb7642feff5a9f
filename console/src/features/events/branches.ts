import type { Tone } from "@components/StatusBadge";
import { deliveryStatus } from "@components/statuses";
import type { Event, EventDelivery } from "@sdk/generated/models";
import { events as t } from "@strings/events";
import { statuses } from "@strings/statuses";

/** One branch of an event's path: a webhook, and the event's result there. */
export interface Branch {
  key: string;
  webhookId: string;
  name: string;
  tone: Tone;
  outcome: string;
  /** The reason, or what happens next. */
  detail: string | null;
  attempts: { made: number; most: number | null } | null;
  nextAttemptAt: string | null;
  /** The delivery to open; null if there is none. */
  deliveryId: string | null;
  isSent: boolean;
}

/** The number of branches that are shown at first. */
export const SHOWN = 30;
const ORDER: readonly string[] = ["FAILED", "HELD", "RETRYING", "PENDING", "SENDING", "CANCELLED", "DELIVERED"];

/**
 * The branches: deliveries, feeds, and then the webhooks that did not get the event. If there are many deliveries, those
 * that need attention come first; a few deliveries keep their places while their statuses change.
 */
export function branchesOf(event: Event): Branch[] {
  const name = (known: string | null) => known ?? (event.unmatched === null ? t.way.unnamed : t.way.deleted);
  const { deliveries } = event;
  const ordered =
    deliveries.length > SHOWN
      ? deliveries.toSorted((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status))
      : deliveries;
  const sent = ordered.map((delivery) => ofDelivery(delivery, name(delivery.webhookName)));
  const read = event.feeds.map(({ id, webhookId, webhookName }) => ({
    ...branch(id, webhookId, name(webhookName)),
    ...({ tone: "info", outcome: t.way.feed, detail: t.way.feedText, isSent: true } as const),
  }));
  const unmatched = (event.unmatched ?? []).map(({ webhookId, name, reason }) => ({
    ...branch(`not:${webhookId}`, webhookId, name),
    ...({ tone: "neutral", outcome: t.way.notSent, isSent: false } as const),
    // Only the API's text says which filter does not match.
    detail: t.way.unmatched[reason.code] ?? reason.detail,
  }));
  return [...sent, ...read, ...unmatched];
}

function ofDelivery(delivery: EventDelivery, name: string): Branch {
  const { tone, children } = deliveryStatus(delivery.status);
  return {
    ...branch(delivery.id, delivery.webhookId, name),
    tone,
    outcome: children,
    detail: delivery.statusReason === null ? null : statuses.reason(delivery.statusReason),
    attempts: delivery.status === "SENDING" ? null : { made: delivery.attemptCount, most: delivery.maxAttempts },
    nextAttemptAt: delivery.nextAttemptAt,
    deliveryId: delivery.id,
    isSent: true,
  };
}

function branch(key: string, webhookId: string, name: string) {
  return { key, webhookId, name, attempts: null, nextAttemptAt: null, deliveryId: null };
}

/** "2 delivered, 1 failed, 3 not sent". */
export function summaryOf(event: Event): string {
  const count = (...wanted: string[]) => event.deliveries.filter(({ status }) => wanted.includes(status)).length;
  return t.way.summary(
    count("DELIVERED"),
    count("PENDING", "SENDING", "RETRYING", "HELD"),
    count("FAILED"),
    count("CANCELLED"),
    event.unmatched?.length ?? 0,
  );
}
