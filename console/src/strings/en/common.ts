const plural = new Intl.PluralRules("en");

/** "1 delivery", "2 deliveries". */
export function count(number: number, one: string, other: string): string {
  return `${number.toLocaleString("en")} ${plural.select(number) === "one" ? one : other}`;
}

/** Strings for the layout and the shared components. */
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
    auto: "System",
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
    offline: "Patchbay is not responding",
    offlineDetail: "Check your connection, then try again.",
    unexpected: "Something went wrong on this page. Reload it. If the error persists, contact your platform's support.",
    requestId: "Request ID",
    outdatedTitle: "This page could not be loaded",
    outdated:
      "The console may have been updated since you opened it. Reload the page. If that ends your session, open the console from your platform again.",
    notFoundTitle: "Page not found",
    notFound: "The link may be outdated, or your session may not have access to this page.",
    forbiddenTitle: "Access denied",
    forbidden: "To get more permissions, ask the person who gave you access.",
  },
  time: {
    never: "Never",
    justNow: "just now",
    local: (zone: string) => `Your time (${zone})`,
    utc: "UTC",
  },
  secret: {
    shownOnce: "It is shown only once. Store it now.",
    value: "Secret value",
  },
  form: {
    preset: (value: string) => (value === "" ? "Default" : `Default (${value})`),
    stored: "Stored. Leave empty to keep the current value.",
    show: (field: string) => `Show ${field}`,
    onePerLine: "One per line.",
  },
  code: { label: "Content" },
  verifiedPublisher: "Verified publisher",
  chart: (summary: string) => `Chart: ${summary}`,
};
