import { count } from "./common";

/** Texts of the events' pages. */
export const events = {
  title: "Events",
  text: "What was published in your workspace, and where it went.",
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
  empty: "Publish a sample to see how an event gets to your webhooks, or let your platform publish the first one.",
  noMatchTitle: "No event matches",
  noMatch: "Change the filters, or wait: new events are looked for every few seconds.",
  fresh: (number: number, more: boolean) =>
    more ? `Show more than ${number} new events` : `Show ${count(number, "new event", "new events")}`,
  open: (type: string) => `Open the event ${type}`,
  detail: {
    parent: "Events",
    rejectedTitle: "Patchbay rejected this event, so no webhook gets it",
    published: "Published",
    source: (words: string) => `Source: ${words}`,
    way: "Where it went",
    payload: "Data",
    payloadLabel: "Data of the event",
    erased: "The data of this event was erased:",
    noData: "This event has no data.",
    erase: "Erase data",
    eraseTitle: "Erase the data of this event?",
    eraseText:
      "Its data and what receivers responded to it are erased now, also for deliveries that wait. It cannot be sent again. You cannot undo this.",
    erasedNow: "The data was erased",
  },
  way: {
    label: "The event's way to each webhook",
    event: "Event",
    none: "No webhook subscribes to this type of event, so it went nowhere.",
    noneYet: "Looking for the webhooks that get it.",
    summary: (delivered: number, waiting: number, failed: number, canceled: number, not: number) =>
      [
        `${delivered.toLocaleString("en")} delivered`,
        waiting > 0 && `${waiting.toLocaleString("en")} on the way`,
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
    feedText: "Its receiver reads it from there.",
    notSent: "Not sent",
    unmatched: {
      inactive: "The webhook was inactive",
      disabled: "The webhook was disabled",
      created_later: "The webhook was created later",
      changed_later: "The webhook was changed later",
    } as Record<string, string>,
    all: (number: number) => `Show all ${number.toLocaleString("en")}`,
    more: "More webhooks did not get it: these are the newest 50.",
    details: "Details",
    openDelivery: (name: string) => `Open the delivery to ${name}`,
    openWebhook: (name: string) => `Open ${name}`,
  },
  publish: {
    action: "Publish a sample",
    title: "Publish an event",
    text: "It goes to every webhook that subscribes to it, like each real event. Your receivers cannot tell the difference.",
    type: "Event type",
    typePlaceholder: "Search event types",
    data: "Data (JSON)",
    dataHelp: "The sample of the catalogue. Change what you want to try.",
    reset: "Back to the sample",
    notJson: "This is not a JSON object. Check quotes, commas and braces.",
    submit: "Publish",
    done: (type: string) => `${type} was published`,
  },
};
