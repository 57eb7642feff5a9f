/** Strings for the pages without an open session. */
export const session = {
  starting: "Opening the console",
  waiting: "Waiting for the platform to sign you in",
  noneTitle: "Open the console from your platform",
  none: "A console link works once, within five minutes. Reloading the page ends the session, because the console stores nothing in your browser.",
  expiredTitle: "Your session has ended",
  expired: "It expired, or someone ended it. Your saved changes are not lost.",
  goBack: "Go back to get a new link",
  failedTitle: "The console cannot open",
};
