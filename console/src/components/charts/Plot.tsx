import { charts as t } from "@strings/charts";
import { type KeyboardEvent, type PointerEvent, useId, useLayoutEffect, useMemo, useRef, useState } from "react";
import { valueText } from "./ChartTable";
import classes from "./charts.module.css";
import { linear, logarithmic, type Scale, share } from "./scales";
import { CHART_HEIGHT, type ChartData } from "./TimeChart";
import { timeName, timeTicks } from "./times";

const TOP = 10;
const BOTTOM = 26;
const RIGHT = 8;
const GAP = 8; // between the value labels and the plot
const CHARACTER = 6.6; // the width of a character in a label, at 11 px
const LABEL_SPACE = 68;
const TOOLTIP = 190;

interface Props {
  title: string;
  summary: string;
  data: ChartData;
}

/**
 * Draws a chart. The pointer or the arrow keys select a time, as on a slider, so that screen readers announce its
 * values.
 */
export default function Plot({ title, summary, data }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useWidth(frame);
  const [chosen, setChosen] = useState<number | null>(null);
  const help = useId();
  const layout = useMemo(() => layoutOf(data, width), [data, width]);
  const last = data.times.length - 1;
  const current = chosen === null ? null : Math.min(chosen, last);

  function onKeyDown(event: KeyboardEvent): void {
    const from = current ?? last + (event.key === "ArrowLeft" ? 1 : 0);
    const page = data.step === "hour" ? 6 : 7;
    const moves: Record<string, number> = {
      ArrowLeft: from - 1,
      ArrowDown: from - 1,
      ArrowRight: from + 1,
      ArrowUp: from + 1,
      PageDown: from - page,
      PageUp: from + page,
      Home: 0,
      End: last,
    };
    const target = moves[event.key];
    if (target === undefined) {
      if (event.key === "Escape") setChosen(null);
      return;
    }
    event.preventDefault();
    setChosen(Math.min(Math.max(target, 0), last));
  }

  function onPointer(event: PointerEvent): void {
    const x = event.clientX - event.currentTarget.getBoundingClientRect().left - layout.left;
    setChosen(Math.min(Math.max(Math.floor(x / layout.band), 0), last));
  }

  return (
    <div ref={frame} className={classes.frame} style={{ height: CHART_HEIGHT }}>
      <div
        className={classes.plot}
        role="slider"
        tabIndex={0}
        aria-label={title}
        aria-describedby={help}
        aria-orientation="horizontal"
        aria-valuemin={0}
        aria-valuemax={last}
        aria-valuenow={current ?? last}
        aria-valuetext={current === null ? summary : spoken(data, current)}
        onKeyDown={onKeyDown}
        onPointerMove={onPointer}
        onPointerDown={onPointer}
        onPointerLeave={() => setChosen(null)}
        onBlur={() => setChosen(null)}
      >
        {width > 0 && <Drawing data={data} layout={layout} width={width} current={current} />}
        {current !== null && <Tooltip data={data} layout={layout} width={width} index={current} />}
      </div>
      {layout.isEmpty && <p className={classes.nothing}>{t.nothing}</p>}
      <span id={help} className={classes.hidden}>
        {t.help}
      </span>
    </div>
  );
}

interface Layout {
  left: number;
  /** The width of one hour or day, in pixels. */
  band: number;
  scale: Scale;
  y: (value: number) => number;
  isEmpty: boolean;
}

function layoutOf(data: ChartData, width: number): Layout {
  const present = data.series.flatMap(({ values }) => values.filter((value) => value !== null));
  const scale = scaleOf(data, present);
  const left = Math.ceil(Math.max(...scale.ticks.map((tick) => data.format(tick).length)) * CHARACTER) + GAP;
  const height = CHART_HEIGHT - TOP - BOTTOM;
  return {
    left,
    band: Math.max(width - left - RIGHT, 1) / Math.max(data.times.length, 1),
    scale,
    y: (value) => TOP + height - scale.at(value) * height,
    isEmpty: present.every((value) => value === 0),
  };
}

function scaleOf({ axis, series, times }: ChartData, present: readonly number[]): Scale {
  if (axis === "share") return share(present);
  if (axis === "logarithmic") return logarithmic(present);
  const sums = times.map((_, index) => series.reduce((sum, { values }) => sum + (values[index] ?? 0), 0));
  return linear(sums, true);
}

interface DrawingProps {
  data: ChartData;
  layout: Layout;
  width: number;
  current: number | null;
}

function Drawing({ data, layout, width, current }: DrawingProps) {
  const { left, band, scale, y } = layout;
  const pattern = useId();
  const ticks = timeTicks(data.times, data.step, Math.max(2, Math.floor((width - left) / LABEL_SPACE)));
  const middle = (index: number) => left + (index + 0.5) * band;
  return (
    <svg className={classes.svg} width={width} height={CHART_HEIGHT} aria-hidden>
      <defs>
        <pattern id={pattern} width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <rect className={classes.hatchBack} width="5" height="5" />
          <rect className={classes.hatch} width="2.5" height="5" />
        </pattern>
      </defs>
      {scale.ticks.map((tick) => (
        <g key={tick}>
          <line className={classes.grid} x1={left} x2={width - RIGHT} y1={round(y(tick))} y2={round(y(tick))} />
          <text className={classes.label} x={left - GAP} y={y(tick)} dy="0.32em" textAnchor="end">
            {data.format(tick)}
          </text>
        </g>
      ))}
      {ticks.map(({ index, label }) => {
        const x = middle(index);
        return (
          <g key={index}>
            <line className={classes.mark} x1={x} x2={x} y1={CHART_HEIGHT - BOTTOM} y2={CHART_HEIGHT - BOTTOM + 4} />
            <text className={classes.label} x={x} y={CHART_HEIGHT - 7} textAnchor={anchor(x, width)}>
              {label}
            </text>
          </g>
        );
      })}
      {current !== null && (
        <rect
          className={classes.cursor}
          x={left + current * band}
          width={band}
          y={TOP}
          height={CHART_HEIGHT - TOP - BOTTOM}
        />
      )}
      {data.kind === "bars" ? (
        <Bars data={data} layout={layout} fill={`url(#${pattern})`} />
      ) : (
        data.series.map(({ key, look, values }) => (
          <Line key={key} look={look} values={values} x={middle} y={y} current={current} />
        ))
      )}
    </svg>
  );
}

function Bars({ data, layout, fill }: { data: ChartData; layout: Layout; fill: string }) {
  const { left, band, y } = layout;
  const width = Math.max(1, Math.min(band * 0.72, 28));
  return data.times.map((at, index) => {
    let below = 0;
    const x = left + (index + 0.5) * band - width / 2;
    return (
      <g key={at}>
        {data.series.map(({ key, look, values }) => {
          const value = values[index] ?? 0;
          const [bottom, top] = [y(below), y(below + value)];
          below += value;
          return (
            value > 0 && (
              <rect
                key={key}
                className={`${classes.bar} ${classes[look]}`}
                {...(look === "bad" && { style: { fill } })}
                x={x}
                width={width}
                y={top}
                // Keeps a few failures among thousands visible.
                height={Math.max(bottom - top, 1.5)}
              />
            )
          );
        })}
      </g>
    );
  });
}

interface LineProps {
  look: string;
  values: readonly (number | null)[];
  x: (index: number) => number;
  y: (value: number) => number;
  current: number | null;
}

function Line({ look, values, x, y, current }: LineProps) {
  const value = current === null ? null : (values[current] ?? null);
  return (
    <g>
      {runs(values).map((run) =>
        run.length === 1 ? (
          <circle
            key={run[0]!.index}
            className={`${classes.dot} ${classes[look]}`}
            cx={x(run[0]!.index)}
            cy={y(run[0]!.value)}
            r="2.5"
          />
        ) : (
          <polyline
            key={run[0]!.index}
            className={`${classes.line} ${classes[look]}`}
            points={run.map(({ index, value }) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" ")}
          />
        ),
      )}
      {value !== null && current !== null && (
        <circle className={`${classes.dot} ${classes[look]}`} cx={x(current)} cy={y(value)} r="4" />
      )}
    </g>
  );
}

/** The continuous segments of a line, between its gaps. */
function runs(values: readonly (number | null)[]): { index: number; value: number }[][] {
  const found: { index: number; value: number }[][] = [];
  let isOpen = false;
  for (const [index, value] of values.entries()) {
    if (value === null) isOpen = false;
    else if (isOpen) found.at(-1)?.push({ index, value });
    else {
      found.push([{ index, value }]);
      isOpen = true;
    }
  }
  return found;
}

function Tooltip({ data, layout, width, index }: { data: ChartData; layout: Layout; width: number; index: number }) {
  const x = layout.left + (index + 0.5) * layout.band;
  const isLeft = x + TOOLTIP + 16 > width;
  return (
    <div
      className={classes.tooltip}
      style={{ width: TOOLTIP, left: Math.max(0, isLeft ? x - TOOLTIP - 12 : x + 12) }}
      aria-hidden
    >
      <p className={classes.tooltipTitle}>{timeName(data.times[index] ?? 0, data.step)}</p>
      {data.series.toReversed().map(({ key, label, look, values }) => (
        <p key={key} className={classes.tooltipRow}>
          <span className={`${classes.swatch} ${classes[look]}`} />
          <span>{label}</span>
          <strong>{valueText(values[index] ?? null, data)}</strong>
        </p>
      ))}
    </div>
  );
}

/** The values at a time, as text for screen readers. */
function spoken(data: ChartData, index: number): string {
  return t.values(
    timeName(data.times[index] ?? 0, data.step),
    data.series.map((series) => t.value(series.label, valueText(series.values[index] ?? null, data))),
  );
}

function anchor(x: number, width: number): "middle" | "end" {
  return x > width - RIGHT - 18 ? "end" : "middle";
}

/** Centers a coordinate on a pixel, so that a thin line is sharp. */
function round(y: number): number {
  return Math.round(y) + 0.5;
}

function useWidth(frame: React.RefObject<HTMLDivElement | null>): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = frame.current;
    if (element === null) return;
    setWidth(element.clientWidth);
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, [frame]);
  return width;
}
