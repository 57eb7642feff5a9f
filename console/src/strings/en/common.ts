const plural = new Intl.PluralRules("en");

/** "1 delivery", "2 deliveries". */
export function count(number: number, one: string, other: string): string {
  return `${number.toLocaleString("en")} ${plural.select(number) === "one" ? one : other}`;
}

/** Texts of the layout and the shared components. */
export const common = {
  product: "Patchbay",
  navigation: {
    label: "Main",
    open: "Open navigation",
    close: "Close navigation",
    skip: "Skip to content",
    groups: { activity: "Activity", setup: "Set up", access: "Access" },
    overview: "Overview",
    events: "Events",
    apiKeys: "API keys",
    audit: "Audit log",
    automations: "Automations",
    settings: "Settings",
    webhooks: "Webhooks",
    tasks: "Tasks",
    marketplace: "Marketplace",
    reviews: "Reviews",
    integrations: "Integrations",
    connections: "Connections",
    flows: "Flows",
  },
  workspace: "Workspace",
  signedInAs: (who: string) => `Signed in as ${who}`,
  colorScheme: {
    label: "Appearance",
    light: "Light",
    dark: "Dark",
    auto: "Like the system",
  },
  actions: {
    cancel: "Cancel",
    close: "Close",
    copy: "Copy",
    copied: "Copied",
    copyWhat: (what: string) => `Copy ${what}`,
    retry: "Try again",
    loadMore: "Load more",
    searchOlder: "Search older",
    more: "More actions",
    reload: "Reload",
    dismiss: "Dismiss",
    save: "Save",
    back: "Back",
    clear: "Clear",
  },
  list: {
    shown: (number: number, more: boolean) =>
      more ? `${number.toLocaleString("en")} loaded` : `${count(number, "row", "rows")}`,
    searched: (number: number) => `Searched the newest ${number.toLocaleString("en")}`,
    loading: "Loading",
    loadingMore: "Loading more",
    empty: "Nothing here",
  },
  errors: {
    title: "Something went wrong",
    offline: "Patchbay does not answer",
    offlineDetail: "Check your connection, then try again.",
    unexpected: "This page has an error. Reload it; if the error stays, tell your platform's support.",
    requestId: "Request ID",
    outdatedTitle: "This page could not be loaded",
    outdated:
      "The console may have been updated since you opened it. Reload it. If that ends your session, open the console again where you opened it before.",
    notFoundTitle: "There is no such page",
    notFound: "The address may be old, or your session may not show this page.",
    forbiddenTitle: "Your session does not allow this",
    forbidden: "To get more rights, ask the person who gave you access.",
  },
  time: {
    never: "Never",
    justNow: "just now",
    local: (zone: string) => `Your time (${zone})`,
    utc: "UTC",
  },
  secret: {
    shownOnce: "This is the only time that it is shown. Store it now.",
    value: "Secret value",
  },
  form: {
    preset: (value: string) => (value === "" ? "Default" : `Default (${value})`),
    stored: "Stored. Leave it empty to keep it.",
    show: (field: string) => `Show ${field}`,
    onePerLine: "One per line.",
  },
  code: { label: "Content" },
  verifiedPublisher: "Verified publisher",
  chart: (summary: string) => `Chart: ${summary}`,
};
