/** Strings for the audit log. */
export const audit = {
  title: "Audit log",
  text: "Who requested changes or secrets, and what happened. Entries are kept for 400 days.",
  listLabel: "Requests",
  emptyTitle: "No entries yet",
  empty: "Each change, each request for a secret, and each rejected request appears here within a second.",
  noMatchTitle: "No matching requests",
  noMatch: "Change the filters, or choose a longer period.",
  filters: {
    label: "Filters",
    target: "Filter by target, such as whk_…",
    actor: "Filter by actor, such as user:ada",
    action: "Action",
    allActions: "All actions",
    outcome: "Outcome",
    allOutcomes: "All outcomes",
    period: "Period",
    periods: { "24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days", all: "All 400 days" },
    clear: "Clear filters",
  },
  columns: { what: "What", outcome: "Outcome", actor: "Who", when: "When" },
  outcomes: { SUCCEEDED: "Done", REFUSED: "Refused", FAILED: "Failed" },
  /** The display name of the actor; the actor's ID is shown next to it. */
  who(actor: string, label: string | null): string {
    if (label !== null) return label;
    if (actor.startsWith("user:")) return actor.slice("user:".length);
    if (actor.startsWith("session:")) return "A console session";
    if (actor.startsWith("connect:")) return "Someone with a connect link";
    return actor.startsWith("key_") ? `API key ${actor}` : actor;
  },
  open: (sentence: string) => `Open: ${sentence}`,
  /** Describes the requested action: "Updated a webhook". */
  what: (action: string): string => WHAT[action] ?? unknown(action),
  resources: {
    actions: "The platform",
    api_keys: "API keys",
    audit: "Audit log",
    automations: "Automations",
    connect_sessions: "Connect links",
    connections: "Connections",
    deliveries: "Deliveries",
    events: "Events",
    flows: "Flows",
    integrations: "Integrations",
    oauth: "Connections (OAuth)",
    portal_sessions: "Console sessions",
    publications: "Publications",
    tasks: "Tasks",
    webhooks: "Webhooks",
    workspace: "Workspace",
  } as Record<string, string>,
  fields: (names: readonly string[]) => `Fields: ${names.join(", ")}`,
  detail: {
    title: "Request",
    action: "Action",
    actor: "Who",
    actorId: "Actor",
    target: "Target",
    fields: "Fields set",
    outcome: "Outcome",
    reason: "Reason",
    requestId: "Request ID",
    ip: "IP address",
    when: "When",
    none: "None",
    onlyActor: "Only this actor",
    onlyTarget: "Only this target",
    hint: "The request ID is also in the deployment's logs and in the response to the caller.",
  },
  /** Describes an entry: "Changed a webhook: url, disableAfter". */
  sentence: (action: string, outcome: string, fields: readonly string[]): string => {
    const words = outcome === "SUCCEEDED" ? audit.what(action) : tried(action);
    return fields.length === 0 || outcome !== "SUCCEEDED" ? words : `${words}: ${fields.join(", ")}`;
  },
  actions: () => Object.keys(WHAT),
};

const WHAT: Record<string, string> = {
  "webhooks.create": "Added a webhook",
  "webhooks.update": "Changed a webhook",
  "webhooks.set_status": "Changed a webhook's status",
  "webhooks.rotate_secret": "Rotated a webhook's secret",
  "webhooks.test": "Sent a test event",
  "webhooks.recover": "Recovered deliveries",
  "webhooks.replay": "Replayed deliveries",
  "webhooks.retry_delivery": "Resent a delivery",
  "webhooks.delete": "Deleted a webhook",
  "webhooks.delete_consumer": "Deleted a feed's consumer",
  "tasks.cancel": "Canceled a task",
  "integrations.create": "Added an integration",
  "integrations.update": "Changed an integration",
  "integrations.set_status": "Changed an integration's status",
  "integrations.install": "Installed from the marketplace",
  "integrations.delete": "Deleted an integration",
  "integrations.get": "Read an integration's secrets",
  "connections.create": "Connected an account",
  "connections.delete": "Disconnected an account",
  "connections.token": "Read an access token",
  "oauth.initiate": "Started connecting an account",
  "oauth.complete": "Connected an account",
  "oauth.refresh": "Refreshed a connection",
  "api_keys.create": "Created an API key",
  "api_keys.update": "Changed an API key",
  "api_keys.rotate": "Rotated an API key",
  "api_keys.revoke": "Revoked an API key",
  "automations.subscribe": "Subscribed an automation",
  "automations.unsubscribe": "Removed an automation's hook",
  "automations.start_run": "Started an action",
  "events.erase_data": "Erased an event's data",
  "workspace.update": "Changed the workspace's settings",
  "workspace.export": "Started an export of the workspace",
  "workspace.delete": "Started erasing the workspace",
  "portal_sessions.create": "Created a console session",
  "portal_sessions.exchange": "Opened the console",
  "portal_sessions.end": "Ended a console session",
  "connect_sessions.create": "Created a connect link",
  "connect_sessions.revoke": "Revoked a connect link",
  "flows.create": "Created a flow",
  "flows.install": "Created a flow from a template",
  "flows.update": "Changed a flow",
  "flows.set_status": "Changed a flow's status",
  "flows.delete": "Deleted a flow",
  "flows.dry_run": "Ran a flow as a dry run",
  "publications.decide": "Decided on a publication",
  "actions.answer_run": "Completed an action run",
  "actions.set_choices": "Changed a list of choices",
};

/** Describes a route that has no text above, such as a rejected read. */
function unknown(action: string): string {
  const [resource = "", verb = ""] = action.split(".");
  return `Requested ${audit.resources[resource] ?? resource}: ${verb.replaceAll("_", " ")}`;
}

function tried(action: string): string {
  const words = audit.what(action);
  return action in WHAT ? `Tried: ${words.charAt(0).toLowerCase()}${words.slice(1)}` : words;
}
