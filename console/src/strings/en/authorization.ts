/** Strings for the authorization on a provider's page. */
export const authorization = {
  starting: "Opening the provider's page",
  waiting: (provider: string) => `Continue in the ${provider} window`,
  waitingText: "Sign in there and grant access. Keep this page open: it continues automatically.",
  blocked: "Your browser blocked the window",
  blockedText: "Open the provider's page with the button, and keep this page open.",
  open: (provider: string) => `Open ${provider}`,
  again: "Open it again",
  completing: "Connecting the account",
  denied: (provider: string) => `${provider} did not grant access`,
  deniedText: "You or the provider denied access, so nothing is connected. You can try again.",
  startAgain: "Try again",
  cancel: "Cancel",
};
