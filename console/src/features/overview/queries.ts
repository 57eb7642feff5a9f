import { listOptions } from "@api/queries";
import { api } from "@api/session";
import type { Analytics, HealthItem } from "@sdk/generated/models";
import { keepPreviousData, queryOptions } from "@tanstack/react-query";

export const PERIODS = ["24h", "7d", "30d"] as const;
export type Period = (typeof PERIODS)[number];

const DAY_MS = 86_400_000;
const REFRESH_MS = 60_000;

/** The metrics of a period. Without parameters, the API returns the last 24 hours. */
export const analytics = (period: Period) =>
  queryOptions({
    queryKey: ["analytics", period],
    queryFn: async ({ signal }) => {
      const page = await api().integrations.analytics(parametersOf(period), { signal });
      return page as unknown as Analytics; // the page type omits the period, which the response has
    },
    placeholderData: keepPreviousData,
    refetchInterval: REFRESH_MS,
  });

export const healthList = listOptions<HealthItem>(["health"], (page, options) =>
  api().integrations.health({ ...page, limit: 100 }, options),
);

function parametersOf(period: Period) {
  if (period === "24h") return {};
  const since = (days: number) => new Date(Date.now() - days * DAY_MS).toISOString();
  // Today and the 29 days before: by default, the API does not keep more.
  return period === "7d" ? { since: since(7) } : { since: since(29), by: "day" as const };
}
