import type { HealthItem, HealthItemKind, HealthState } from "@sdk/generated/models";
import { overview as t } from "@strings/overview";

/** The states that need attention, with their severity. */
const SEVERITY: Partial<Record<HealthState, number>> = { FAILING: 2, DISABLED: 2, DEGRADED: 1 };
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

export interface Problem {
  key: string;
  kind: HealthItemKind;
  isSevere: boolean;
  sentence: string;
  advice: string | null;
  lastError: string | null;
  since: string | null;
  /** The page to act on, and its search parameters. */
  path: string;
  search?: Record<string, string>;
}

/**
 * The problems that need attention, worst first. An item that fails only because its parts fail is left out if those
 * parts are in the list too.
 */
export function problemsOf(items: readonly HealthItem[]): Problem[] {
  const names = new Map(items.filter(({ kind }) => kind === "integration").map(({ id, name }) => [id, name]));
  return items
    .filter(({ kind, state, reason, id }) => {
      const isWhole = reason === "parts" && (kind === "automation" || hasSickPart(items, id));
      return SEVERITY[state] !== undefined && !isWhole;
    })
    .toSorted((a, b) => SEVERITY[b.state]! - SEVERITY[a.state]! || since(b) - since(a))
    .map((item) => problemOf(item, names));
}

function hasSickPart(items: readonly HealthItem[], integrationId: string): boolean {
  return items.some((item) => item.integrationId === integrationId && SEVERITY[item.state] !== undefined);
}

/** The start time, for sorting the latest first; 0 if it is unknown, which sorts last. */
function since(item: HealthItem): number {
  return item.since === null ? 0 : Date.parse(item.since);
}

function problemOf(item: HealthItem, names: ReadonlyMap<string, string>): Problem {
  const { kind, name, reason, deliveries } = item;
  const sentences = kind === "automation" ? {} : t.attention[kind];
  const write = sentences[reason ?? ""] ?? t.attention.other;
  const from = item.integrationId === null ? null : (names.get(item.integrationId) ?? null);
  return {
    key: `${kind}:${item.integrationId ?? ""}:${item.id}`,
    kind,
    isSevere: SEVERITY[item.state] === 2,
    sentence: write({ name, from, rate: percent.format(deliveries?.successRate ?? 0) }),
    advice: kind === "flow" ? t.attention.flowAdvice : (t.attention.advice[reason ?? ""] ?? item.detail),
    lastError: item.lastError === null ? null : t.attention.lastError(item.lastError.detail),
    since: item.since,
    path: pathOf(item),
    ...(kind === "flow" && { search: { tab: "runs", status: "FAILED" } }),
  };
}

/** The path of an item's page. */
function pathOf({ kind, id, integrationId }: HealthItem): string {
  if (kind === "webhook") return `/webhooks/${id}`;
  if (kind === "integration") return `/integrations/${id}`;
  if (kind === "automation") return "/automations";
  if (kind === "flow") return `/flows/${id}`;
  return integrationId === null ? "/connections" : `/integrations/${integrationId}`;
}

export interface KindCounts {
  kind: HealthItemKind;
  total: number;
  /** The states that occur, best first. */
  states: { state: HealthState; count: number }[];
}

const STATES: readonly HealthState[] = ["HEALTHY", "DEGRADED", "FAILING", "DISABLED", "PAUSED", "INACTIVE", "UNKNOWN"];

export function countsOf(items: readonly HealthItem[]): KindCounts[] {
  const hasFlows = items.some(({ kind }) => kind === "flow");
  const kinds = ["webhook", "connection", "integration", ...(hasFlows ? (["flow"] as const) : [])] as const;
  return kinds.map((kind) => {
    const own = items.filter((item) => item.kind === kind);
    const states = STATES.map((state) => ({ state, count: own.filter((item) => item.state === state).length }));
    return { kind, total: own.length, states: states.filter(({ count }) => count > 0) };
  });
}
