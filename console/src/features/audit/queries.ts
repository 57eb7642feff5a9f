import { listOptions } from "@api/queries";
import { api } from "@api/session";
import type { AuditEntry, AuditEntryOutcome } from "@sdk/generated/models";
import type { AuditSearch } from "./routes";

const HOUR_MS = 3_600_000;
const PERIODS: Record<string, number> = { "24h": 24 * HOUR_MS, "7d": 7 * 24 * HOUR_MS, "30d": 30 * 24 * HOUR_MS };

/** The matching requests. The period starts at a full minute, so that all pages of a list have the same start. */
export function auditList({ actor, action, target, outcome, period }: AuditSearch) {
  const length = PERIODS[period ?? ""];
  const since = length && new Date(Math.floor((Date.now() - length) / 60_000) * 60_000).toISOString();
  const filters = {
    ...(actor && { actor }),
    ...(action && { action }),
    ...(target && { target }),
    ...(outcome && { outcome: outcome as AuditEntryOutcome }),
    ...(since && { since }),
  };
  return listOptions<AuditEntry>(["audit", "list", filters], (page, options) =>
    api().audit.list({ ...page, ...filters, limit: 100 }, options),
  );
}
