import { count } from "./common";

export type Platform = "zapier" | "make" | "n8n";

/** Strings for the pages of automations. */
export const automations = {
  title: "Automations",
  text: "Trigger Zaps, scenarios and workflows with your events, and let them run actions here.",
  platform: "Platform",
  platforms: { zapier: "Zapier", make: "Make", n8n: "n8n" },
  tabs: { templates: "Templates", hooks: "Hooks", runs: "Runs" },
  connect: {
    title: (platform: string) => `Connect ${platform} in three steps`,
    createKey: "Create its API key",
    api: "API URL",
    steps: {
      zapier: [
        {
          title: "Create an API key",
          text: "The app needs only the scope automations:use. Create one key for each Zapier account.",
        },
        {
          title: "Connect the app",
          text: "In Zapier, add a step with your platform's app, choose Connect, and paste the key.",
        },
        {
          title: "Publish a Zap",
          text: "Choose a trigger such as Post Published. When you publish the Zap, its hook appears under Hooks.",
        },
      ],
      make: [
        {
          title: "Create an API key",
          text: "The app needs only the scope automations:use. Create one key for each Make account.",
        },
        {
          title: "Add a connection",
          text: "In Make, add a module from your platform's app, choose Create a connection, and paste the key.",
        },
        {
          title: "Turn a scenario on",
          text: "Start with a module such as Watch published posts. When you create its webhook, a hook appears under Hooks.",
        },
      ],
      n8n: [
        {
          title: "Create an API key",
          text: "The node needs only the scope automations:use. Create one key for each n8n server.",
        },
        {
          title: "Install the node",
          text: "In n8n, open Settings > Community nodes and install n8n-nodes-patchbay. Create a credential with the key and the API URL.",
        },
        {
          title: "Publish a workflow",
          text: "Start it with the Patchbay Trigger. When you publish the workflow, its hook appears under Hooks.",
        },
      ],
    },
  },
  templates: {
    label: "Templates",
    emptyTitle: "No templates",
    empty: "Your platform has no templates for this app. You can build an automation from any trigger and action.",
    open: (name: string) => `Open ${name}`,
    plan: "What to build",
    when: "When",
    next: "Then",
    onlyIf: "Only if",
    event: (type: string) => `The event ${type}`,
    app: (app: string, what: string) => `${app}: ${what}`,
    action: (key: string) => words(key),
    fields: "Fields",
    howTo: (platform: string) =>
      `Build it in ${platform} with these steps. Values in double braces come from earlier steps.`,
    asFlow: (platform: string) => `Patchbay can also send this to your webhook, without ${platform}.`,
    createFlow: "Create a flow",
    steps: (number: number) => count(number, "step", "steps"),
  },
  hooks: {
    label: (platform: string) => `${platform} hooks`,
    emptyTitle: (platform: string) => `No ${platform} hooks`,
    empty:
      "A hook appears when someone turns on an automation that is triggered by one of your events. Connect the app first.",
    columns: { event: "Event type", url: "URL", status: "Status", created: "Created" },
    detail: {
      id: "ID",
      event: "Event type",
      filters: "Filters",
      url: "URL",
      created: "Created",
      none: "None: receives every event of this type",
      deliveries: "View deliveries",
    },
    remove: "Remove hook",
    removeTitle: "Remove this hook?",
    removeText: (platform: string) =>
      `The automation in ${platform} no longer receives events. It stays on there, so turn it off too. To restore the hook, turn the automation off and on.`,
    removed: "The hook was removed",
    open: (type: string) => `Open the ${type} hook`,
  },
  runs: {
    label: (platform: string) => `${platform} runs`,
    emptyTitle: (platform: string) => `No ${platform} runs`,
    empty: "A run appears when an automation starts an action here, such as creating a post.",
    noMatchTitle: "No runs with this status",
    noMatch: "Try another status.",
    status: "Status",
    allStatuses: "All statuses",
    statuses: { PENDING: "Waiting", SUCCEEDED: "Done", FAILED: "Failed" },
    columns: { action: "Action", status: "Status", problem: "Problem", by: "Started by", created: "Started" },
    action: (key: string) => words(key),
    open: (action: string) => `Open the run of ${action}`,
    detail: {
      title: "Run",
      id: "ID",
      action: "Action",
      by: "Started by",
      started: "Started",
      ended: "Ended",
      until: "Times out",
      input: "Input",
      output: "Result",
      noOutput: "No result yet.",
      error: "Problem",
    },
    pending: "The platform has not responded yet. If it does not respond within 15 minutes, the run fails.",
    timedOut: "The platform did not respond in time",
  },
  filter: {
    equals: (path: string, value: string) => `${path} is ${value}`,
    in: (path: string, values: string) => `${path} is one of ${values}`,
    exists: (path: string) => `${path} exists`,
    missing: (path: string) => `${path} does not exist`,
  },
};

/** Turns `create_post` into "Create post". */
function words(key: string): string {
  const spaced = key.replaceAll("_", " ");
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
