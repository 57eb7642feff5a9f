import { count } from "./common";

/** What a sentence about a problem needs. `rate` is the success rate in words; `from` names the integration. */
export interface Trouble {
  name: string;
  from: string | null;
  rate: string;
}

const of = ({ name, from }: Trouble) => (from === null ? name : `${name} (${from})`);

/** Texts of the overview. */
export const overview = {
  title: "Overview",
  text: "What needs your attention, and how your deliveries and connections perform.",
  activity: "Activity",
  period: "Period",
  periods: { "24h": "24 hours", "7d": "7 days", "30d": "30 days" },
  measuredUntil: (time: string) => `Counted until ${time}. An hour is counted 15 minutes after its end.`,
  utcDays: "Days are those of UTC; the last one is not over.",
  attention: {
    title: "Needs attention",
    none: "Nothing needs you: everything that is in use works.",
    noneSoFar: "Nothing needs you among those that were checked so far.",
    since: "Began",
    lastError: (detail: string) => `Latest error: ${detail}`,
    all: (number: number) => `Show all ${number}`,
    fewer: "Show fewer",
    severe: "Urgent",
    mild: "Watch",
    webhook: {
      disabled: (it: Trouble) => `Patchbay disabled ${of(it)}.`,
      breaker_open: (it: Trouble) => `${of(it)} does not answer, so its deliveries wait.`,
      consecutive_failures: (it: Trouble) => `The latest deliveries to ${of(it)} failed, after all retries.`,
      success_rate: (it: Trouble) => `Too many deliveries to ${of(it)} fail: ${it.rate} succeeded in 24 hours.`,
      retries: (it: Trouble) => `Many attempts to send to ${of(it)} fail, and are repeated.`,
      backlog: (it: Trouble) => `Too many retries to ${of(it)} wait, so further deliveries are held.`,
      slow: (it: Trouble) => `${of(it)} answers slowly.`,
    } as Record<string, (it: Trouble) => string>,
    connection: {
      expired: (it: Trouble) => `The connection ${of(it)} expired.`,
      refresh_fails: (it: Trouble) => `The provider does not renew the connection ${of(it)}.`,
    } as Record<string, (it: Trouble) => string>,
    integration: {
      error: (it: Trouble) => `The integration ${it.name} has an error.`,
      parts: (it: Trouble) => `Parts of ${it.name} do not work.`,
    } as Record<string, (it: Trouble) => string>,
    flow: {
      consecutive_failures: (it: Trouble) => `The latest runs of the flow ${it.name} failed.`,
      success_rate: (it: Trouble) => `Runs of the flow ${it.name} fail often.`,
    } as Record<string, (it: Trouble) => string>,
    other: (it: Trouble) => `${of(it)} does not work as it should.`,
    advice: {
      disabled: "Correct its receiver, resume it, then recover what it missed.",
      breaker_open: "Check that its server runs and responds in time.",
      consecutive_failures: "Look at its failed deliveries, then send them again.",
      success_rate: "Look at what its receiver responded.",
      retries: "Look at what its receiver responded.",
      backlog: "Its receiver must respond before more is sent.",
      slow: "Let the receiver respond first and work later.",
      expired: "Ask its user to connect again.",
      refresh_fails: "Patchbay tries again. Check the integration's client and the provider's status page.",
      error: "Check its configuration.",
      parts: "See which of its webhooks and connections fail.",
    } as Record<string, string>,
    flowAdvice: "Open a failed run, then correct the flow or what its step uses.",
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
      UNKNOWN: "without data",
    },
    none: "None yet",
    state: (number: number, words: string) => `${number.toLocaleString("en")} ${words}`,
    partial: (number: number) => `These are the first ${number.toLocaleString("en")}.`,
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
    latency: "Latency of your endpoints",
    latencyFigure: (p50: string, p95: string) => `${p50} median, ${p95} p95`,
    latencySummary: (p50: string, p95: string, p99: string) =>
      `Half of the attempts took at most ${p50}, 95% at most ${p95}, and 99% at most ${p99}.`,
    latencyNote: "The axis is logarithmic: each line is ten times the one below.",
    p50: "p50",
    p95: "p95",
    p99: "p99",
    refreshes: "Token refreshes",
    renewed: "Renewed",
    refreshesSummary: (renewed: number, failed: number) =>
      `${count(renewed, "token was", "tokens were")} renewed, and ${count(failed, "refresh", "refreshes")} failed.`,
    noRate: "No deliveries ended",
    noLatency: "No attempts",
  },
  milliseconds: (text: string) => `${text} ms`,
  seconds: (text: string) => `${text} s`,
  start: {
    title: "Start with a webhook or an integration",
    text: "This page shows how your events are delivered and how your connections do, as soon as there are some.",
    webhooks: "Go to webhooks",
  },
};
