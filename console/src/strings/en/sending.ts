import { count } from "./common";

const number = (value: number) => value.toLocaleString("en");

/** Strings for the dialogs that send a test event, start a replay, and rotate the secret. */
export const sending = {
  test: {
    title: "Send a test event",
    text: "Patchbay sends one signed request with sample data now. It is not stored as a delivery, and a failure does not count.",
    type: "Event type",
    subscribed: "This webhook's event types",
    others: "Other event types",
    sample: "Payload",
    send: "Send",
    again: "Send again",
    results: "Responses",
    sending: "Waiting for your endpoint to respond",
    answered: (status: number) => `Your endpoint responded with HTTP ${status}`,
    noAnswer: "Your endpoint did not respond",
    took: (milliseconds: number) => `It took ${number(milliseconds)} ms`,
  },
  again: {
    menu: "Resend deliveries",
    title: "Resend deliveries",
    text: "Deliveries keep their webhook-id, so an endpoint that ignores duplicates does not process an event twice.",
    range: "Time range of the events",
    ranges: {
      hour: "The last hour",
      day: "The last 24 hours",
      week: "The last 7 days",
      month: "The last 30 days",
      own: "Custom range",
    },
    since: "From",
    until: "To",
    untilHelp: "Leave empty for now.",
    sinceMissing: "Choose a start time.",
    untilBefore: "Choose a time after the start.",
    what: "What to resend",
    statuses: { FAILED: "Failed deliveries", CANCELLED: "Canceled deliveries", DELIVERED: "Successful deliveries" },
    deliveredHelp: "Your endpoint already accepted these. It will receive each one again.",
    missing: "Missed events",
    missingHelp: "Events that match the webhook but have no delivery, because it did not exist yet or was not active.",
    nothing: "Choose what to resend.",
    types: "Only these event types",
    typesPlaceholder: "All event types",
    counting: "Counting",
    counted: (total: number, isComplete: boolean) =>
      isComplete
        ? total === 0
          ? "No deliveries match."
          : `${count(total, "delivery matches", "deliveries match")}.`
        : `More than ${count(total, "delivery matches", "deliveries match")}.`,
    submit: (total: number | undefined, isComplete: boolean) =>
      total && isComplete ? `Resend ${count(total, "delivery", "deliveries")}` : "Resend",
    started: "The replay starts within a minute",
    inactive: "The webhook is not active. Activate it first.",
    paused: "The webhook is paused. The replay waits until you resume it.",
  },
  replays: {
    listLabel: "Replays, newest first",
    range: "Events of",
    statuses: { FAILED: "failed", CANCELLED: "canceled", DELIVERED: "delivered" } as Record<string, string>,
    missing: "missed",
    usual: "Failed and canceled",
    emptyTitle: "No replays yet",
    empty: "Start a replay to resend deliveries from a time range, or to send missed events.",
    open: (range: string) => `Open the replay of ${range}`,
  },
  rotate: {
    menu: "Rotate secret",
    title: "Rotate the signing secret",
    text: "Patchbay creates a new secret. During the overlap, it signs each request with both secrets, so your endpoint can switch at any time.",
    overlap: "The old secret expires",
    overlaps: {
      "0": "Now (if it was leaked)",
      "3600": "In 1 hour",
      "86400": "In 24 hours",
      "259200": "In 3 days",
      "604800": "In 7 days",
    },
    now: "Deliveries fail until your endpoint has the new secret. You can resend them afterwards.",
    steps: "Deploy the new secret to your endpoint before then. There is no downtime.",
    own: "Bring your own secret",
    ownHelp: "Optional. By default, Patchbay generates one.",
    submit: "Rotate secret",
    doneTitle: "The new secret is active",
    doneOverlap: (until: string) =>
      `Replace the secret in your endpoint by ${until}. Until then, Patchbay signs requests with both secrets.`,
    doneNow: "Replace the secret in your endpoint now. Patchbay no longer uses the old one.",
    secret: "New signing secret",
    close: "Done",
  },
};
