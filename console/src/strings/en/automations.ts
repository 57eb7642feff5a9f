import { count } from "./common";

export type Platform = "zapier" | "make" | "n8n";

/** Texts of the automations' pages. */
export const automations = {
  title: "Automations",
  text: "Start Zaps, scenarios and workflows with what happens here, and let them act here.",
  platform: "Platform",
  platforms: { zapier: "Zapier", make: "Make", n8n: "n8n" },
  tabs: { templates: "Templates", hooks: "Hooks", runs: "Runs" },
  connect: {
    title: (platform: string) => `Connect ${platform} in three steps`,
    createKey: "Create its API key",
    api: "Address of the API",
    steps: {
      zapier: [
        {
          title: "Create an API key",
          text: "The app needs only the scope automations:use. Make one key for each Zapier account.",
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
          text: "The app needs only the scope automations:use. Make one key for each Make account.",
        },
        {
          title: "Add a connection",
          text: "In Make, add a module of your platform's app, choose Create a connection, and paste the key.",
        },
        {
          title: "Turn a scenario on",
          text: "Begin with a module such as Watch published posts. With its webhook, a hook appears under Hooks.",
        },
      ],
      n8n: [
        {
          title: "Create an API key",
          text: "The node needs only the scope automations:use. Make one key for each n8n server.",
        },
        {
          title: "Install the node",
          text: "In n8n, open Settings, Community nodes, and install n8n-nodes-patchbay. Make a credential with the key and this address.",
        },
        {
          title: "Publish a workflow",
          text: "Begin it with the Patchbay Trigger. When you publish the workflow, its hook appears under Hooks.",
        },
      ],
    },
  },
  templates: {
    label: "Templates",
    emptyTitle: "No templates",
    empty: "Your platform offers no template for this app. You can build an automation from any trigger and action.",
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
      `Build it in ${platform} with these steps. Texts in double braces stand for what earlier steps gave.`,
    asFlow: (platform: string) => `Patchbay can also send this to your webhook, without ${platform}.`,
    createFlow: "Create a flow",
    steps: (number: number) => count(number, "step", "steps"),
  },
  hooks: {
    label: (platform: string) => `Hooks of ${platform}`,
    emptyTitle: (platform: string) => `No hooks of ${platform}`,
    empty:
      "A hook appears when somebody turns on an automation that begins with an event of yours. Connect the app first.",
    columns: { event: "Event type", url: "Address", status: "Status", created: "Since" },
    detail: {
      id: "ID",
      event: "Event type",
      filters: "Filters",
      url: "Address",
      created: "Created",
      none: "None: it gets every event of the type",
      deliveries: "See its deliveries",
    },
    remove: "Remove hook",
    removeTitle: "Remove this hook?",
    removeText: (platform: string) =>
      `The automation in ${platform} gets no events any more. It stays turned on there, so turn it off too. To bring the hook back, turn the automation off and on.`,
    removed: "The hook was removed",
    open: (type: string) => `Open the hook of ${type}`,
  },
  runs: {
    label: (platform: string) => `Runs of ${platform}`,
    emptyTitle: (platform: string) => `No runs of ${platform}`,
    empty: "A run appears when an automation asks for an action here, such as creating a post.",
    noMatchTitle: "No run has this status",
    noMatch: "Change the status.",
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
      until: "Waits until",
      input: "Input",
      output: "Result",
      noOutput: "There is no result yet.",
      error: "Problem",
    },
    pending: "The platform has not answered yet. It has 15 minutes; then the run ends as failed.",
    timedOut: "The platform did not answer in time",
  },
  filter: {
    equals: (path: string, value: string) => `${path} is ${value}`,
    in: (path: string, values: string) => `${path} is one of ${values}`,
    exists: (path: string) => `${path} is there`,
    missing: (path: string) => `${path} is not there`,
  },
};

/** `create_post`: "Create post". */
function words(key: string): string {
  const spaced = key.replaceAll("_", " ");
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
