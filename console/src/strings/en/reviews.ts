import { count } from "./common";

/** Strings for the reviews of publications, in the platform's workspace. */
export const reviews = {
  title: "Reviews",
  text: "Integrations that other workspaces want to publish. The marketplace lists them only after you approve them.",
  listLabel: "Publications",
  open: (name: string) => `Open ${name}`,
  status: "Review status",
  allStatuses: "All publications",
  emptyTitle: "No publications yet",
  empty: "When a workspace publishes an integration, it appears here for your review.",
  noMatchTitle: "No publications with this status",
  noMatch: "A rejected publication is shown only while an earlier version is in the marketplace.",
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
          ? "The publisher changed it. The previously approved version stays in the marketplace until you decide."
          : "No one else sees it until you approve it.",
      APPROVED: "The marketplace shows this version.",
      REJECTED: (isListed: boolean) =>
        isListed
          ? "You rejected this version. The previously approved version is still in the marketplace."
          : "You rejected this version. The marketplace does not show it.",
      withdrawn:
        "You withdrew it from the marketplace, and installed copies have stopped working. They work again when you approve a later version.",
      unpublished:
        "The publisher removed it from the marketplace. Installed copies keep working until you withdraw it.",
    },
    compare: "Submitted version",
    compareListed: "Listed version",
    check:
      "Before you approve, check: Does the OAuth client belong to the publisher? Does the integration need every scope? Is the publisher allowed to use this name and logo?",
    listed: (version: number) => `In the marketplace: version ${version}`,
    submitted: (version: number) => `Submitted: version ${version}`,
    changed: "Changed",
    unchanged: "No visible field has changed.",
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
    logoHelp: "The image is not loaded on this page.",
    defaultScopes: "The provider's default scopes",
    unlimited: "No limit",
    facts: {
      publisher: "Publisher",
      workspace: "Workspace",
      waiting: "Waiting since",
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
    approveText: "It is listed in the marketplace immediately, and every workspace can install it.",
    rejectText: "The publisher sees your reason and can submit a new version.",
    publisherName: "Publisher's name in the marketplace",
    publisherNameHelp: "Only you can set it. Without a name, the workspace ID is shown.",
    verified: "Show the publisher as verified",
    verifiedHelp: "Check this only if you have verified their identity.",
    note: "Note to the publisher",
    noteHelp: "The publisher sees it next to your decision.",
    reason: "Reason",
    reasonHelp: "The publisher sees it. Say what is wrong and what to change.",
    reasonMissing: "Enter a reason, so that the publisher can fix it.",
    approved: (name: string) => `${name} is in the marketplace`,
    rejected: (name: string) => `${name} was rejected`,
    changedMeanwhile: "The publication has changed. Review it again before you decide.",
    lookedAgain: "I have reviewed the new version",
    readOnly: "You can view publications but not approve or reject them.",
  },
  withdraw: {
    action: "Withdraw",
    heading: "Withdraw from the marketplace",
    text: "Removes it from the marketplace and stops every installed copy within minutes.",
    title: (name: string) => `Withdraw ${name}?`,
    consequence: (copies: number) =>
      copies === 0
        ? "It is removed from the marketplace. No one has installed it."
        : `It is removed from the marketplace, and ${
            copies >= 1_000
              ? "1,000 or more installed copies stop"
              : count(copies, "installed copy stops", "installed copies stop")
          } within minutes. They work again only when you approve a later version.`,
    reasonMissing: "Enter a reason. The publisher sees it.",
    done: (name: string) => `${name} was withdrawn`,
  },
};
