/** Texts of the pages without an open session. */
export const session = {
  starting: "Opening the console",
  waiting: "Waiting for the page around this one to sign you in",
  noneTitle: "Open the console from your platform",
  none: "A link to the console works once, for five minutes. Reloading the page ends the visit, because the console stores nothing in your browser.",
  expiredTitle: "Your session has ended",
  expired: "It expired, or somebody ended it. Nothing that you saved is lost.",
  goBack: "Go back to get a new link",
  failedTitle: "The console cannot open",
};
