/** Texts of the pages of connect links. */
export const connect = {
  returning: "Passing the provider's answer to the page that you came from. Keep that page open.",
  returned: "Done. You can close this tab.",
  noLinkTitle: "This link is incomplete",
  noLink: "Open the whole link that you got. If it still does not work, ask for a new one.",
  heading: (workspace: string) => `Connect an account to ${workspace}`,
  requestedBy: (who: string) => `${who} asks for this.`,
  integrations: "Accounts to choose from",
};
