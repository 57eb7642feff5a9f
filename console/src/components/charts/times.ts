export type Step = "hour" | "day";

const HOUR_MS = 3_600_000;
const MS: Record<Step, number> = { hour: HOUR_MS, day: 24 * HOUR_MS };

// Days are in UTC, as the API counts them; hours are in the viewer's time zone.
const day = new Intl.DateTimeFormat("en", { month: "short", day: "numeric" });
const hour = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const utcDay = new Intl.DateTimeFormat("en", { month: "short", day: "numeric", timeZone: "UTC" });
const longDay = new Intl.DateTimeFormat("en", { weekday: "short", month: "short", day: "numeric", timeZone: "UTC" });
const longHour = new Intl.DateTimeFormat("en", {
  ...({ weekday: "short", month: "short", day: "numeric" } as const),
  ...({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const),
});

/** The start times of all hours or days in a period, in milliseconds. */
export function stepsOf(since: string, until: string, step: Step): number[] {
  const found: number[] = [];
  for (let at = Date.parse(since); at < Date.parse(until); at += MS[step]) found.push(at);
  return found;
}

/** The label of an hour or day, for a tooltip or a table. */
export function timeName(at: number, step: Step): string {
  return step === "day" ? longDay.format(at) : longHour.format(at);
}

export interface TimeTick {
  index: number;
  label: string;
}

/** The steps that get a label on the axis, at most `most` of them. */
export function timeTicks(times: readonly number[], step: Step, most: number): TimeTick[] {
  if (step === "day") {
    const every = [1, 2, 7, 14].find((each) => times.length / each <= most) ?? times.length;
    const last = times.length - 1;
    return times.flatMap((at, index) => ((last - index) % every === 0 ? [{ index, label: utcDay.format(at) }] : []));
  }
  const everyHours = [1, 2, 3, 6, 12, 24, 48, 96, 168].find((each) => times.length / each <= most) ?? 168;
  const midnights = new Map<number, number>();
  return times.flatMap((at, index) => {
    const hours = new Date(at).getHours();
    if (hours === 0) midnights.set(index, midnights.size);
    const isMarked =
      everyHours <= 24 ? hours % everyHours === 0 : hours === 0 && midnights.get(index)! % (everyHours / 24) === 0;
    return isMarked ? [{ index, label: hours === 0 ? day.format(at) : hour.format(at) }] : [];
  });
}
