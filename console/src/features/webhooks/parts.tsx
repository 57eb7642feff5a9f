import type { Webhook } from "@sdk/generated/models";
import { webhooks as t } from "@strings/webhooks";
import classes from "./parts.module.css";

const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
/** Below this share of successes, a rate is drawn as a problem. */
const LOW = 0.9;

/** A webhook's name, above its URL. */
export function EndpointName({ webhook }: { webhook: Pick<Webhook, "name" | "url"> }) {
  return (
    <>
      <span className={classes.name}>{webhook.name}</span>
      <span className={classes.url}>{webhook.url ?? t.pull}</span>
    </>
  );
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
