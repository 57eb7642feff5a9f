import { type ChartData, type Series as Drawn, type Look, TimeChart } from "@components/charts/TimeChart";
import { stepsOf } from "@components/charts/times";
import { exactTime } from "@components/TimeAgo";
import type { Analytics, Point, Volume } from "@sdk/generated/models";
import { overview as t } from "@strings/overview";
import { useMemo } from "react";
import classes from "./overview.module.css";

const whole = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const NOTHING: Volume = {
  attempts: 0,
  succeeded: 0,
  failed: 0,
  successRate: null,
  latencyMs: { p50: null, p95: null, p99: null },
};

/** The metrics of the period: volume, success rate and latency of deliveries, and token refreshes. */
export function Charts({ analytics, isStale }: { analytics: Analytics | null; isStale: boolean }) {
  const series = analytics?.items[0] ?? null;
  const deliveries = series?.deliveries ?? NOTHING;
  const refreshes = series?.refreshes ?? NOTHING;
  const { p50, p95, p99 } = deliveries.latencyMs;
  const charts = useMemo(() => (analytics === null ? undefined : chartsOf(analytics)), [analytics]);
  return (
    <div className={isStale ? classes.stale : undefined} aria-busy={isStale}>
      <div className={classes.charts}>
        <TimeChart
          title={t.charts.deliveries}
          figure={(deliveries.succeeded + deliveries.failed).toLocaleString("en")}
          summary={t.charts.deliveriesSummary(deliveries.succeeded, deliveries.failed)}
          data={charts?.deliveries}
        />
        <TimeChart
          title={t.charts.rate}
          figure={deliveries.successRate === null ? t.charts.noRate : percent.format(deliveries.successRate)}
          summary={
            deliveries.successRate === null
              ? t.charts.noRate
              : t.charts.rateSummary(percent.format(deliveries.successRate))
          }
          data={charts?.rate}
        />
        <TimeChart
          title={t.charts.latency}
          figure={p50 === null ? t.charts.noLatency : t.charts.latencyFigure(duration(p50), duration(p95 ?? p50))}
          summary={
            p50 === null || p95 === null || p99 === null
              ? t.charts.noLatency
              : t.charts.latencySummary(duration(p50), duration(p95), duration(p99))
          }
          note={t.charts.latencyNote}
          data={charts?.latency}
        />
        <TimeChart
          title={t.charts.refreshes}
          figure={(refreshes.succeeded + refreshes.failed).toLocaleString("en")}
          summary={t.charts.refreshesSummary(refreshes.succeeded, refreshes.failed)}
          data={charts?.refreshes}
        />
      </div>
      {analytics !== null && (
        <p className={classes.measured}>
          {t.measuredUntil(exactTime(analytics.until))} {analytics.by === "day" && t.utcDays}
        </p>
      )}
    </div>
  );
}

function chartsOf(analytics: Analytics): Record<"deliveries" | "rate" | "latency" | "refreshes", ChartData> {
  const { since, until, by } = analytics;
  const times = stepsOf(since, until, by);
  const points = new Map((analytics.items[0]?.points ?? []).map((point) => [Date.parse(point.at), point]));
  // An hour or day without a point has the value zero, and no rate or latency.
  const drawn = (
    key: string,
    label: string,
    look: Look,
    read: (point: Point) => number | null,
    none: 0 | null,
  ): Drawn => ({
    key,
    label,
    look,
    values: times.map((at) => {
      const point = points.get(at);
      return point === undefined ? none : read(point);
    }),
  });
  const common = { times, step: by };
  const { delivered, failed, renewed } = t.charts;
  return {
    deliveries: {
      ...common,
      kind: "bars",
      axis: "count",
      format: whole.format,
      series: [
        drawn("succeeded", delivered, "main", (point) => point.deliveries?.succeeded ?? 0, 0),
        drawn("failed", failed, "bad", (point) => point.deliveries?.failed ?? 0, 0),
      ],
    },
    rate: {
      ...common,
      kind: "lines",
      axis: "share",
      format: percent.format,
      series: [drawn("rate", t.charts.rate, "main", (point) => point.deliveries?.successRate ?? null, null)],
    },
    latency: {
      ...common,
      kind: "lines",
      axis: "logarithmic",
      format: duration,
      series: [
        drawn("p50", t.charts.p50, "main", (point) => point.deliveries?.latencyMs.p50 ?? null, null),
        drawn("p95", t.charts.p95, "second", (point) => point.deliveries?.latencyMs.p95 ?? null, null),
        drawn("p99", t.charts.p99, "third", (point) => point.deliveries?.latencyMs.p99 ?? null, null),
      ],
    },
    refreshes: {
      ...common,
      kind: "bars",
      axis: "count",
      format: whole.format,
      series: [
        drawn("succeeded", renewed, "second", (point) => point.refreshes?.succeeded ?? 0, 0),
        drawn("failed", failed, "bad", (point) => point.refreshes?.failed ?? 0, 0),
      ],
    },
  };
}

function duration(milliseconds: number): string {
  return milliseconds < 1_000
    ? t.milliseconds(number.format(milliseconds))
    : t.seconds(number.format(milliseconds / 1_000));
}
