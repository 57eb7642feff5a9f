import { charts as t } from "@strings/charts";
import classes from "./charts.module.css";
import { CHART_HEIGHT, type ChartData } from "./TimeChart";
import { timeName } from "./times";

/** The values of a chart as a table, newest first. */
export default function ChartTable({ title, data }: { title: string; data: ChartData }) {
  const newestFirst = data.times.map((at, index) => ({ at, index })).toReversed();
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a long table scrolls, also with the keyboard
    <section className={classes.tableScroller} style={{ height: CHART_HEIGHT }} tabIndex={0} aria-label={title}>
      <table className={classes.table}>
        <thead>
          <tr>
            <th scope="col">{t.time}</th>
            {data.series.map(({ key, label }) => (
              <th key={key} scope="col">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {newestFirst.map(({ at, index }) => (
            <tr key={at}>
              <th scope="row">{timeName(at, data.step)}</th>
              {data.series.map(({ key, values }) => (
                <td key={key}>{valueText(values[index] ?? null, data)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

export function valueText(value: number | null, { format }: ChartData): string {
  return value === null ? t.noValue : format(value);
}
