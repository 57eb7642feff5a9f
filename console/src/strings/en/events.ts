import { count } from "./common";

/** Strings for the pages of events. */
export const events = {
  title: "Events",
  text: "Events published in your workspace, and where Patchbay sent them.",
  listLabel: "Events, newest first",
  columns: { type: "Event", id: "ID", source: "Source", time: "Published" },
  noType: "Unknown type",
  filters: {
    type: "Event type",
    allTypes: "All event types",
    source: "Source",
    allSources: "All sources",
    status: "Status",
    allStatuses: "All statuses",
    time: "Time",
    anyTime: "Any time",
    times: { "1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days" },
  },
  sources: { api: "API", bus: "Event bus", patchbay: "Patchbay", flow: "Flow" } as Record<string, string>,
  statuses: { ACCEPTED: "Accepted", REJECTED: "Rejected" },
  emptyTitle: "No events yet",
  empty: "Publish a sample to see how an event reaches your webhooks, or publish one from your platform.",
  noMatchTitle: "No matching events",
  noMatch: "Change the filters, or wait: this page checks for new events every few seconds.",
  fresh: (number: number, more: boolean) =>
    more ? `Show more than ${number} new events` : `Show ${count(number, "new event", "new events")}`,
  open: (type: string) => `Open the event ${type}`,
  detail: {
    parent: "Events",
    rejectedTitle: "Patchbay rejected this event, so it was not delivered",
    published: "Published",
    source: (words: string) => `Source: ${words}`,
    way: "Where it went",
    payload: "Data",
    payloadLabel: "Event data",
    erased: "The data of this event was erased:",
    noData: "This event has no data.",
    erase: "Erase data",
    eraseTitle: "Erase this event's data?",
    eraseText:
      "Patchbay erases the event's data and the receivers' responses now, including waiting deliveries. The event cannot be resent. You cannot undo this.",
    erasedNow: "The data was erased",
  },
  way: {
    label: "The event's path to each webhook",
    event: "Event",
    none: "No webhook subscribes to this event type.",
    noneYet: "Finding matching webhooks.",
    summary: (delivered: number, waiting: number, failed: number, canceled: number, not: number) =>
      [
        `${delivered.toLocaleString("en")} delivered`,
        waiting > 0 && `${waiting.toLocaleString("en")} in progress`,
        failed > 0 && `${failed.toLocaleString("en")} failed`,
        canceled > 0 && `${canceled.toLocaleString("en")} canceled`,
        not > 0 && `${not.toLocaleString("en")} not sent`,
      ]
        .filter(Boolean)
        .join(", "),
    deleted: "Deleted webhook",
    unnamed: "Webhook",
    attempts: (made: number, most: number | null) =>
      most === null || made > most
        ? count(made, "attempt", "attempts")
        : `${made} of ${count(most, "attempt", "attempts")}`,
    noAttempt: "Not sent yet",
    next: "next",
    feed: "In its feed",
    feedText: "The receiver reads it from there.",
    notSent: "Not sent",
    unmatched: {
      inactive: "The webhook was inactive",
      disabled: "The webhook was disabled",
      created_later: "The webhook was created later",
      changed_later: "The webhook was changed later",
    } as Record<string, string>,
    all: (number: number) => `Show all ${number.toLocaleString("en")}`,
    more: "Showing the newest 50 webhooks that did not receive it.",
    details: "Details",
    openDelivery: (name: string) => `Open the delivery to ${name}`,
    openWebhook: (name: string) => `Open ${name}`,
  },
  publish: {
    action: "Publish a sample",
    title: "Publish an event",
    text: "It is sent to every subscribed webhook, like a real event. Your receivers cannot tell the difference.",
    type: "Event type",
    typePlaceholder: "Search event types",
    data: "Data (JSON)",
    dataHelp: "Sample data. Change it as you like.",
    reset: "Reset to the sample",
    notJson: "This is not a valid JSON object. Check quotes, commas and braces.",
    submit: "Publish",
    done: (type: string) => `${type} was published`,
  },
};
