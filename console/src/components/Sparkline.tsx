import { common as t } from "@strings/common";
import classes from "./Sparkline.module.css";

interface Props {
  /** Values, oldest first. */
  values: readonly number[];
  /** What the line shows, as text for screen readers: "128 deliveries in 24 hours". */
  summary: string;
  width?: number;
  height?: number;
}

/**
 * A small line without axes, for a row of a list. If users need to read values, use a chart. The last period has not
 * ended yet, so the line to its value is dashed.
 */
export function Sparkline({ values, summary, width = 96, height = 24 }: Props) {
  const highest = Math.max(...values, 1);
  const step = (width - 2) / Math.max(values.length - 1, 1);
  const points = values.map(
    (value, at) => `${(1 + at * step).toFixed(1)},${(height - 2 - (value / highest) * (height - 4)).toFixed(1)}`,
  );
  return (
    <svg className={classes.sparkline} width={width} height={height} role="img" aria-label={t.chart(summary)}>
      {values.length > 1 && (
        <>
          <polygon className={classes.area} points={`1,${height} ${points.join(" ")} ${width - 1},${height}`} />
          <polyline className={classes.line} points={points.slice(0, -1).join(" ")} />
          <polyline className={`${classes.line} ${classes.open}`} points={points.slice(-2).join(" ")} />
        </>
      )}
    </svg>
  );
}
