import type { ApiKey } from "@sdk/generated/models";
import { apiKeys as t } from "@strings/api-keys";
import { type KeyboardEvent, useState } from "react";
import classes from "./DailyUse.module.css";

const WIDTH = 720;
const HEIGHT = 200;
const LEFT = 48;
const BOTTOM = 22;
const TOP = 10;
const PLOT = HEIGHT - TOP - BOTTOM;

/** A key's requests on each of the last 30 days, as bars with the key's limit. Arrow keys move between days. */
export function DailyUse({ apiKey }: { apiKey: ApiKey }) {
  const days = apiKey.usage.daily ?? [];
  const [active, setActive] = useState<number | null>(null);
  const most = Math.max(0, ...days.map(({ count }) => count));
  const total = days.reduce((sum, { count }) => sum + count, 0);
  if (total === 0) return <p className={classes.none}>{t.use.none}</p>;
  const limit = apiKey.rateLimitPerDay;
  // The limit is drawn only if usage comes near it. A much higher limit would flatten all bars.
  const hasLimit = most >= limit / 4;
  const top = niceTop(hasLimit ? Math.max(most, limit) : most);
  const step = (WIDTH - LEFT) / days.length;
  const y = (value: number) => TOP + PLOT * (1 - value / top);
  const shown = active === null ? null : days[active];

  function onKeyDown(event: KeyboardEvent): void {
    const last = days.length - 1;
    const from = active ?? last;
    const target = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    setActive(Math.min(Math.max(target, 0), last));
  }

  return (
    <figure className={classes.figure}>
      <div className={classes.caption} role="status">
        {shown ? t.use.of(shown.date, shown.count) : t.use.unit}
      </div>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        className={classes.chart}
        role="img"
        aria-label={t.use.summary(total, most)}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys move between the days
        tabIndex={0}
        onKeyDown={onKeyDown}
        onFocus={() => setActive((old) => old ?? days.length - 1)}
        onBlur={() => setActive(null)}
        onPointerLeave={() => setActive(null)}
      >
        {[0, top / 2, top].map((value) => (
          <g key={value}>
            <line className={classes.grid} x1={LEFT} x2={WIDTH} y1={y(value)} y2={y(value)} />
            <text className={classes.tick} x={LEFT - 8} y={y(value) + 4} textAnchor="end">
              {short(value)}
            </text>
          </g>
        ))}
        {days.map(({ date, count }, at) => {
          const x = LEFT + at * step;
          return (
            <g key={date} onPointerEnter={() => setActive(at)}>
              <rect className={classes.target} x={x} y={TOP} width={step} height={PLOT} />
              {count > 0 && (
                <rect
                  className={at === active ? classes.activeBar : classes.bar}
                  x={x + step * 0.15}
                  y={Math.min(y(count), TOP + PLOT - 2)}
                  width={step * 0.7}
                  height={Math.max(PLOT * (count / top), 2)}
                  rx={2}
                />
              )}
            </g>
          );
        })}
        {hasLimit && (
          <g>
            <line className={classes.limit} x1={LEFT} x2={WIDTH} y1={y(limit)} y2={y(limit)} />
            <text className={classes.limitText} x={WIDTH} y={y(limit) - 5} textAnchor="end">
              {t.use.limit(limit)}
            </text>
          </g>
        )}
        {[0, 10, 20, days.length - 1].map((at) => {
          const day = days[at];
          return (
            day && (
              <text
                key={at}
                className={classes.tick}
                x={LEFT + (at === 0 ? 0.15 : at === days.length - 1 ? 0.85 + at : at + 0.5) * step}
                y={HEIGHT - 4}
                textAnchor={at === 0 ? "start" : at === days.length - 1 ? "end" : "middle"}
              >
                {t.use.day(day.date)}
              </text>
            )
          );
        })}
      </svg>
      <details className={classes.details}>
        <summary>{t.use.table}</summary>
        <table className={classes.table}>
          <thead>
            <tr>
              <th scope="col">{t.use.date}</th>
              <th scope="col">{t.use.count}</th>
            </tr>
          </thead>
          <tbody>
            {days.toReversed().map(({ date, count }) => (
              <tr key={date}>
                <th scope="row">{t.use.day(date)}</th>
                <td>{count.toLocaleString("en")}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}

/** The next of 2, 4, 6, 8, 10, 20, 40 … that is not less: half of it is a whole number. */
function niceTop(value: number): number {
  const size = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [2, 4, 6, 8, 10, 20].map((factor) => factor * size).find((top) => top >= value) ?? value;
}

function short(value: number): string {
  return new Intl.NumberFormat("en", { notation: "compact" }).format(value);
}
