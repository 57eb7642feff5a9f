import { Sparkline } from "@components/Sparkline";
import { TwoLines } from "@components/TwoLines";
import type { Webhook, WebhookStats } from "@sdk/generated/models";
import { webhooks as t } from "@strings/webhooks";
import classes from "./parts.module.css";

const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
/** A success rate below this is shown as a problem. */
const LOW = 0.9;
const HOURS = 24;
const HOUR_MS = 3_600_000;

/** A webhook's name, above its URL. */
export function EndpointName({ webhook }: { webhook: Pick<Webhook, "name" | "url"> }) {
  return <TwoLines first={webhook.name} second={webhook.url ?? t.pull} />;
}

export function SuccessRate({ rate }: { rate: number | null }) {
  if (rate === null) return <span className={classes.muted}>{t.noRate}</span>;
  return (
    <span className={`${classes.rate} ${rate < LOW ? classes.isLow : ""}`}>
      <span className={classes.bar} aria-hidden>
        <span className={rate < LOW ? classes.low : undefined} style={{ width: `${rate * 100}%` }} />
      </span>
      {percent.format(rate)}
    </span>
  );
}

/** A sparkline of the last day's deliveries by hour, followed by their number. */
export function HourlySparkline({ stats }: { stats: WebhookStats }) {
  const ended = stats.delivered + stats.failed;
  return (
    <span className={classes.hours}>
      {stats.since !== null && ended > 0 && (
        <Sparkline values={hourly(stats.hours, stats.since)} summary={t.hours(stats.delivered, stats.failed)} />
      )}
      <span className={classes.number}>{stats.deliveries.toLocaleString("en")}</span>
    </span>
  );
}

/** One value for each hour since the start. Hours in which no delivery ended are zero. */
function hourly(hours: WebhookStats["hours"], since: string): number[] {
  const values = new Array<number>(HOURS).fill(0);
  for (const { at, delivered, failed } of hours) {
    const hour = Math.round((Date.parse(at) - Date.parse(since)) / HOUR_MS);
    if (hour >= 0 && hour < HOURS) values[hour] = delivered + failed;
  }
  return values;
}
