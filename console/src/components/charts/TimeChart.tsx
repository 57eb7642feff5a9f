import { ActionIcon, Skeleton } from "@mantine/core";
import { charts as t } from "@strings/charts";
import { IconChartBar, IconTable } from "@tabler/icons-react";
import { lazy, type ReactNode, Suspense, useState } from "react";
import classes from "./charts.module.css";
import type { Step } from "./times";

const Plot = lazy(() => import("./Plot"));
const Table = lazy(() => import("./ChartTable"));

export const CHART_HEIGHT = 220;

/** The look of a series. Lines also differ in their dashes, and bars in their pattern: never in color alone. */
export type Look = "main" | "second" | "third" | "bad";

export interface Series {
  key: string;
  label: string;
  look: Look;
  /** One value for each time; null is a gap. */
  values: readonly (number | null)[];
}

export interface ChartData {
  /** The start times of the hours or days, in milliseconds. */
  times: readonly number[];
  step: Step;
  /** `bars` are stacked in the order of `series`, from the bottom. */
  kind: "bars" | "lines";
  axis: "count" | "share" | "logarithmic";
  series: readonly Series[];
  /** Formats a value with its unit, for the axis and the tooltip. */
  format: (value: number) => string;
}

interface Props {
  title: string;
  /** The main figure of the period. */
  figure?: ReactNode;
  /** What the chart shows, as text for users who cannot see it. */
  summary: string;
  /** What readers must know: the unit, or what is not counted. */
  note?: string;
  /** Undefined while it loads. */
  data: ChartData | undefined;
}

/** A chart of values over time, with a table of the same values. */
export function TimeChart({ title, figure, summary, note, data }: Props) {
  const [isTable, setTable] = useState(false);
  const Icon = isTable ? IconChartBar : IconTable;
  const toggle = isTable ? t.showChart : t.showTable;
  const skeleton = <Skeleton height={CHART_HEIGHT} radius="sm" />;
  return (
    <section className={classes.panel} aria-label={title}>
      <header className={classes.head}>
        <div className={classes.about}>
          <h2 className={classes.title}>{title}</h2>
          <div className={classes.figure}>
            {data === undefined ? <Skeleton height={28} width={96} radius="sm" /> : figure}
          </div>
        </div>
        {data !== undefined && data.series.length > 1 && <Legend data={data} />}
        <ActionIcon
          aria-label={`${toggle}: ${title}`}
          title={toggle}
          disabled={data === undefined}
          onClick={() => setTable(!isTable)}
        >
          <Icon size={18} stroke={1.7} aria-hidden />
        </ActionIcon>
      </header>
      {data === undefined ? (
        skeleton
      ) : (
        <Suspense fallback={skeleton}>
          {isTable ? <Table title={title} data={data} /> : <Plot title={title} summary={summary} data={data} />}
        </Suspense>
      )}
      {note && <p className={classes.note}>{note}</p>}
    </section>
  );
}

function Legend({ data }: { data: ChartData }) {
  return (
    <ul className={classes.legend}>
      {data.series.map(({ key, label, look }) => (
        <li key={key}>
          {data.kind === "bars" ? (
            <span className={`${classes.swatch} ${classes[look]}`} />
          ) : (
            <svg width="18" height="10" aria-hidden>
              <line className={`${classes.line} ${classes[look]}`} x1="1" x2="17" y1="5" y2="5" />
            </svg>
          )}
          {label}
        </li>
      ))}
    </ul>
  );
}
