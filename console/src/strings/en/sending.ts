import { count } from "./common";

const number = (value: number) => value.toLocaleString("en");

/** Texts of what is sent by hand: tests, deliveries of a time range, and the rotation of the secret. */
export const sending = {
  test: {
    title: "Send a test event",
    text: "One request is sent now, signed as a real one, with the catalogue's sample. It is not stored as a delivery, and failures do not count.",
    type: "Event type",
    subscribed: "Event types of this webhook",
    others: "Other event types",
    sample: "What is sent",
    send: "Send",
    again: "Send again",
    results: "Answers",
    sending: "Waiting for the answer of your endpoint",
    answered: (status: number) => `Your endpoint answered with HTTP ${status}`,
    noAnswer: "Your endpoint did not answer",
    took: (milliseconds: number) => `It took ${number(milliseconds)} ms`,
  },
  again: {
    menu: "Send again",
    title: "Send deliveries again",
    text: "They are sent with the same webhook-id as before, so an endpoint that drops what it has seen drops what it has processed.",
    range: "Time of the events",
    ranges: {
      hour: "The last hour",
      day: "The last 24 hours",
      week: "The last 7 days",
      month: "The last 30 days",
      own: "From … to …",
    },
    since: "From",
    until: "To",
    untilHelp: "Empty: until now",
    sinceMissing: "Choose when it begins.",
    untilBefore: "Choose a time after the beginning.",
    what: "What to send",
    statuses: { FAILED: "Failed deliveries", CANCELLED: "Canceled deliveries", DELIVERED: "Delivered deliveries" },
    deliveredHelp: "Your endpoint has processed these. It gets each of them once more.",
    missing: "Events that the webhook missed",
    missingHelp: "Events that match it now, but have no delivery: those from before it existed, or while it was off.",
    nothing: "Choose what to send.",
    types: "Only these event types",
    typesPlaceholder: "All event types",
    counting: "Counting",
    counted: (total: number, isComplete: boolean) =>
      isComplete
        ? total === 0
          ? "Nothing matches."
          : `${count(total, "delivery matches", "deliveries match")}.`
        : `More than ${count(total, "delivery matches", "deliveries match")}.`,
    submit: (total: number | undefined, isComplete: boolean) =>
      total && isComplete ? `Send ${count(total, "delivery", "deliveries")}` : "Send again",
    started: "The replay begins within a minute",
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
    empty: "To send deliveries of a time range again, or events that the webhook missed, start a replay.",
    open: (range: string) => `Open the replay of ${range}`,
  },
  rotate: {
    menu: "Rotate secret",
    title: "Rotate the signing secret",
    text: "You get a new secret. During the overlap, each request is signed with both, so your endpoint accepts requests before and after you replace the secret there.",
    overlap: "The old secret ends",
    overlaps: {
      "0": "Now, because it has leaked",
      "3600": "In 1 hour",
      "86400": "In 24 hours",
      "259200": "In 3 days",
      "604800": "In 7 days",
    },
    now: "Until your endpoint has the new secret, it refuses requests, and those deliveries fail. You can send them again afterwards.",
    steps: "Put the new secret into your endpoint before that. There is no downtime.",
    own: "Secret from elsewhere",
    ownHelp: "Empty: Patchbay makes one.",
    submit: "Rotate secret",
    doneTitle: "The new secret signs requests now",
    doneOverlap: (until: string) =>
      `Replace the secret in your endpoint by ${until}. Until then, requests are signed with both.`,
    doneNow: "Replace the secret in your endpoint now. The old one no longer signs.",
    secret: "New signing secret",
    close: "Done",
  },
};
