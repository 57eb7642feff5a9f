/** Texts of the way through a provider's page. */
export const authorization = {
  starting: "Asking the provider for its page",
  waiting: (provider: string) => `Continue in the window of ${provider}`,
  waitingText: "Sign in there and agree. This page goes on by itself. Keep it open.",
  blocked: "Your browser blocked the window",
  blockedText: "Open the provider's page yourself, and keep this page open.",
  open: (provider: string) => `Open ${provider}`,
  again: "Open it again",
  completing: "Connecting the account",
  denied: (provider: string) => `${provider} did not give access`,
  deniedText: "You, or a rule of the provider, refused it. Nothing is connected. You can try again.",
  startAgain: "Try again",
  cancel: "Cancel",
};
