import { listOptions, useChange } from "@api/queries";
import { api } from "@api/session";
import type { Event, EventStatus, EventSummary, PublishEvent } from "@sdk/generated/models";
import type { LoadedPage } from "@sdk/page";
import { events as t } from "@strings/events";
import { queryOptions } from "@tanstack/react-query";

export const TIMES = ["1h", "24h", "7d"] as const;
export type Time = (typeof TIMES)[number];
const HOURS: Record<Time, number> = { "1h": 1, "24h": 24, "7d": 168 };
const HOUR_MS = 3_600_000;

export interface Filters {
  type?: string;
  source?: "api" | "bus" | "patchbay";
  status?: EventStatus;
  time?: Time;
}

export const eventList = (filters: Filters) =>
  listOptions<EventSummary>(["events", "list", filters], (page, options) =>
    api().events.list({ ...page, limit: 100, ...query(filters) }, options),
  );

/** How often the list checks for newer events. */
export const LOOK_MS = 8_000;

/** The newest events. The first request waits, because the list has just been loaded. */
export const newestEvents = (filters: Filters) =>
  queryOptions({
    queryKey: ["events", "newest", filters],
    queryFn: async ({ signal }): Promise<LoadedPage<EventSummary> | null> =>
      await api().events.list({ limit: 20, ...query(filters) }, { signal }),
    initialData: null,
    staleTime: LOOK_MS,
    refetchInterval: LOOK_MS,
    gcTime: 0,
  });

const SOON_MS = 2_000;
const LATER_MS = 10_000;
const NEW_MS = 15_000;

/** Whether Patchbay may still be creating the event's deliveries. */
export function isNew(event: Event, now: number): boolean {
  return now - Date.parse(event.timestamp) < NEW_MS;
}

export const eventDetail = (id: string) =>
  queryOptions({
    queryKey: ["events", id],
    queryFn: ({ signal }) => api().events.get(id, { signal }),
    // Refetch while its deliveries can change.
    refetchInterval: ({ state }) => (state.data === undefined ? false : nextLook(state.data)),
  });

function nextLook(event: Event): number | false {
  const has = (...statuses: string[]) => event.deliveries.some(({ status }) => statuses.includes(status));
  if (has("PENDING", "SENDING") || isNew(event, Date.now())) return SOON_MS;
  return has("RETRYING", "HELD") ? LATER_MS : false;
}

export const eventTypes = queryOptions({
  queryKey: ["event-types"],
  queryFn: async ({ signal }) => (await api().webhooks.eventTypes({ signal })).items,
  staleTime: Number.POSITIVE_INFINITY,
});

export function usePublish() {
  return useChange({
    run: (body: PublishEvent) => api().events.publish(body),
    done: (event) => ({ message: t.publish.done(event.type) }),
    changes: [["events", "list"]],
    showsErrors: true,
  });
}

export function useEraseData(id: string, onDone: () => void) {
  return useChange<void, void>({
    run: () => api().events.eraseData(id),
    done: t.detail.erasedNow,
    changes: [["events", id]],
    onDone,
  });
}

function query({ time, ...filters }: Filters) {
  return { ...filters, ...(time && { since: new Date(Date.now() - HOURS[time] * HOUR_MS).toISOString() }) };
}
