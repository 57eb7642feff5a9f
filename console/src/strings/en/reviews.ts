import { count } from "./common";

/** Texts of the reviews of publications, in the platform's workspace. */
export const reviews = {
  title: "Reviews",
  text: "What other workspaces offer in the marketplace. Nothing is listed there before you approve it.",
  listLabel: "Publications",
  open: (name: string) => `Open ${name}`,
  status: "Review status",
  allStatuses: "All publications",
  emptyTitle: "Nobody has published an integration yet",
  empty: "When a workspace publishes an integration, it waits here for your decision.",
  noMatchTitle: "No publication has this status",
  noMatch: "A rejected publication is shown only while an earlier version of it is in the marketplace.",
  showAll: "Show all publications",
  marketplace: "Open the marketplace",
  columns: { name: "Integration", publisher: "Publisher", change: "Listing", status: "Status", since: "Since" },
  changes: {
    first: "New",
    again: "Update",
    listed: "Listed",
    withdrawn: "Withdrawn",
    none: "Not listed",
  },
  by: (name: string | null, workspace: string) => (name === null ? workspace : `${name} (${workspace})`),
  detail: {
    title: "Publication",
    unpublished: "No longer public",
    states: {
      PENDING: (isListed: boolean) =>
        isListed
          ? "The publisher has changed it. The version that you approved before stays in the marketplace until you decide."
          : "Nobody else sees it until you approve it.",
      APPROVED: "The marketplace shows this version.",
      REJECTED: (isListed: boolean) =>
        isListed
          ? "You rejected this version. The one that you approved before is still in the marketplace."
          : "You rejected this version. The marketplace does not show it.",
      withdrawn:
        "You took it out of the marketplace, and its copies have stopped. They work again when you approve a later version.",
      unpublished:
        "The publisher took it out of the marketplace. Installed copies continue to work until you withdraw it.",
    },
    compare: "What you decide about",
    compareListed: "What is listed",
    check:
      "Check before you approve: Is the OAuth client the publisher's own? Does the integration need each scope? May the publisher use this name and logo?",
    listed: (version: number) => `In the marketplace: version ${version}`,
    submitted: (version: number) => `Submitted: version ${version}`,
    changed: "Changed",
    unchanged: "No field that installers see has changed.",
    added: "New",
    removed: "Removed",
    nothing: "None",
    fields: {
      name: "Name",
      type: "Type",
      provider: "Provider",
      description: "Description",
      logoUrl: "Logo",
      scopes: "Scopes",
      clientId: "OAuth client ID",
      rateLimitPerHour: "Uses per hour",
      rateLimitPerDay: "Uses per day",
    },
    logoHelp: "The image is not loaded here.",
    defaultScopes: "The provider's default scopes",
    unlimited: "No limit",
    facts: {
      publisher: "Publisher",
      workspace: "Workspace",
      waiting: "Waits since",
      approved: "Approved",
      copies: "Installed copies",
      reason: "Your latest reason",
      id: "Integration ID",
    },
    copies: (number: number) => (number >= 1_000 ? "1,000 or more" : number.toLocaleString("en")),
    history: "Decisions",
    noHistory: "No decision yet.",
    decisions: {
      "publication.approved": "Approved",
      "publication.rejected": "Rejected",
      "publication.withdrawn": "Withdrawn",
    } as Readonly<Record<string, string>>,
    who: (actor: string) => (actor === "platform" ? "An operator" : actor),
    audit: "Show in the audit log",
  },
  decide: {
    title: "Decide",
    choice: "Your decision",
    approve: "Approve",
    reject: "Reject",
    approveText: "It is listed in the marketplace at once, and every workspace can install it.",
    rejectText: "The publisher reads your reason, and can change the integration. Then you review it again.",
    publisherName: "Publisher's name in the marketplace",
    publisherNameHelp: "You vouch for it: the publisher cannot set it. Without a name, the workspace's ID is shown.",
    verified: "Show the publisher as verified",
    verifiedHelp: "You have checked their identity.",
    note: "Note to the publisher",
    noteHelp: "The publisher reads it, beside your decision.",
    reason: "Reason",
    reasonHelp: "The publisher reads it. Say what is wrong, and what to change.",
    reasonMissing: "Give a reason, so that the publisher can correct it.",
    approved: (name: string) => `${name} is in the marketplace`,
    rejected: (name: string) => `${name} was rejected`,
    changedMeanwhile: "The publication has changed. Look at it again before you decide.",
    lookedAgain: "I have looked at the new version",
    readOnly: "Your session may look at publications, but not decide on them.",
  },
  withdraw: {
    action: "Withdraw",
    heading: "Withdraw it",
    text: "Takes it out of the marketplace, and stops every installed copy within minutes.",
    title: (name: string) => `Withdraw ${name}?`,
    consequence: (copies: number) =>
      copies === 0
        ? "It leaves the marketplace. Nobody has installed it."
        : `It leaves the marketplace, and ${
            copies >= 1_000
              ? "1,000 or more installed copies stop"
              : count(copies, "installed copy stops", "installed copies stop")
          } within minutes. They work again only when you approve a later version.`,
    reasonMissing: "Give a reason: the publisher reads it.",
    done: (name: string) => `${name} was withdrawn`,
  },
};
