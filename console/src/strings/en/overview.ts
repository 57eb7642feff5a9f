import { count } from "./common";

/** The values in a sentence about a problem. `rate` is the formatted success rate; `from` is the integration's name. */
export interface Trouble {
  name: string;
  from: string | null;
  rate: string;
}

const of = ({ name, from }: Trouble) => (from === null ? name : `${name} (${from})`);

/** Strings for the overview. */
export const overview = {
  title: "Overview",
  text: "What needs your attention, and how your deliveries and connections are doing.",
  activity: "Activity",
  period: "Period",
  periods: { "24h": "24 hours", "7d": "7 days", "30d": "30 days" },
  measuredUntil: (time: string) => `Data up to ${time}. Each hour is added 15 minutes after it ends.`,
  utcDays: "Days are in UTC. The last day is incomplete.",
  attention: {
    title: "Needs attention",
    none: "All clear: everything in use is working.",
    noneSoFar: "All clear among the items checked so far.",
    since: "Since",
    lastError: (detail: string) => `Latest error: ${detail}`,
    all: (number: number) => `Show all ${number}`,
    fewer: "Show fewer",
    severe: "Urgent",
    mild: "Watch",
    webhook: {
      disabled: (it: Trouble) => `Patchbay disabled ${of(it)}.`,
      breaker_open: (it: Trouble) => `${of(it)} is not responding, so its deliveries are on hold.`,
      consecutive_failures: (it: Trouble) => `The latest deliveries to ${of(it)} failed after all retries.`,
      success_rate: (it: Trouble) =>
        `Too many deliveries to ${of(it)} are failing: ${it.rate} succeeded in the last 24 hours.`,
      retries: (it: Trouble) => `Many attempts to send to ${of(it)} fail and are retried.`,
      backlog: (it: Trouble) => `Too many retries to ${of(it)} are waiting, so new deliveries are on hold.`,
      slow: (it: Trouble) => `${of(it)} responds slowly.`,
    } as Record<string, (it: Trouble) => string>,
    connection: {
      expired: (it: Trouble) => `The connection ${of(it)} expired.`,
      refresh_fails: (it: Trouble) => `The provider refuses to refresh the connection ${of(it)}.`,
    } as Record<string, (it: Trouble) => string>,
    integration: {
      error: (it: Trouble) => `The integration ${it.name} has an error.`,
      parts: (it: Trouble) => `Parts of ${it.name} are not working.`,
    } as Record<string, (it: Trouble) => string>,
    flow: {
      consecutive_failures: (it: Trouble) => `The latest runs of the flow ${it.name} failed.`,
      success_rate: (it: Trouble) => `Many runs of the flow ${it.name} are failing.`,
    } as Record<string, (it: Trouble) => string>,
    other: (it: Trouble) => `${of(it)} is not working correctly.`,
    advice: {
      disabled: "Fix its endpoint, activate the webhook, then resend its failed and missed deliveries.",
      breaker_open: "Check that the endpoint is running and responds in time.",
      consecutive_failures: "Check the failed deliveries, then resend them.",
      success_rate: "Check the endpoint's responses.",
      retries: "Check the endpoint's responses.",
      backlog: "Patchbay sends more when the endpoint responds again.",
      slow: "Respond first, then process the event.",
      expired: "Ask the user to connect again.",
      refresh_fails: "Patchbay keeps retrying. Check the integration's OAuth client and the provider's status page.",
      error: "Check its configuration.",
      parts: "Check which webhooks and connections are failing.",
    } as Record<string, string>,
    flowAdvice: "Open a failed run, then fix the flow or the resource that its step uses.",
    open: {
      webhook: "Open webhook",
      connection: "Open connection",
      integration: "Open integration",
      automation: "Open automations",
      flow: "See failed runs",
    },
  },
  health: {
    title: "Health",
    kinds: {
      integration: "Integrations",
      connection: "Connections",
      webhook: "Webhooks",
      automation: "Automation platforms",
      flow: "Flows",
    },
    states: {
      HEALTHY: "working",
      DEGRADED: "degraded",
      FAILING: "failing",
      DISABLED: "disabled",
      PAUSED: "paused",
      INACTIVE: "inactive",
      UNKNOWN: "no data",
    },
    none: "None yet",
    state: (number: number, words: string) => `${number.toLocaleString("en")} ${words}`,
    partial: (number: number) => `Showing the first ${number.toLocaleString("en")}.`,
    rest: "Check the rest",
    checked: "Checked",
  },
  charts: {
    deliveries: "Deliveries",
    delivered: "Delivered",
    failed: "Failed",
    deliveriesSummary: (delivered: number, failed: number) =>
      `${count(delivered, "delivery", "deliveries")} succeeded and ${failed.toLocaleString("en")} failed in this period.`,
    rate: "Success rate",
    rateSummary: (rate: string) => `${rate} of the deliveries that ended in this period succeeded.`,
    latency: "Endpoint latency",
    latencyFigure: (p50: string, p95: string) => `${p50} median, ${p95} p95`,
    latencySummary: (p50: string, p95: string, p99: string) =>
      `Half of the attempts took at most ${p50}, 95% at most ${p95}, and 99% at most ${p99}.`,
    latencyNote: "Logarithmic scale: each line is ten times the one below.",
    p50: "p50",
    p95: "p95",
    p99: "p99",
    refreshes: "Token refreshes",
    renewed: "Refreshed",
    refreshesSummary: (renewed: number, failed: number) =>
      `${count(renewed, "token was", "tokens were")} refreshed, and ${count(failed, "refresh", "refreshes")} failed.`,
    noRate: "No deliveries ended",
    noLatency: "No attempts",
  },
  milliseconds: (text: string) => `${text} ms`,
  seconds: (text: string) => `${text} s`,
  start: {
    title: "Start with a webhook or an integration",
    text: "This page shows how your deliveries and connections are doing, once you have some.",
    webhooks: "Go to webhooks",
  },
};
