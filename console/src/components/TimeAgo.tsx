import { Text, Tooltip } from "@mantine/core";
import { common as t } from "@strings/common";
import { useRef, useState, useSyncExternalStore } from "react";

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const exact = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });
const utc = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium", timeZone: "UTC" });
const zone = exact.resolvedOptions().timeZone;
const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
] as const;

/** A relative time such as "5 min. ago". Hover and focus show the exact time, in the viewer's time zone and in UTC. */
export function TimeAgo({ at, fallback = t.time.never }: { at: string | null; fallback?: string }) {
  const now = useNow();
  const target = useRef<HTMLTimeElement>(null);
  const [isActive, setActive] = useState(false);
  if (at === null) return <span>{fallback}</span>;
  const date = new Date(at);
  const show = () => setActive(true);
  const hide = () => setActive(false);
  return (
    <>
      <time
        ref={target}
        dateTime={at}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: focus also shows the exact time
        tabIndex={0}
        onPointerEnter={show}
        onPointerLeave={hide}
        onFocus={show}
        onBlur={hide}
        onKeyDown={(event) => event.key === "Escape" && hide()}
      >
        {words(date.getTime() - now)}
      </time>
      {/* A list has many times, and a tooltip costs more than its row, so it is rendered only while it is visible. */}
      {isActive && <Tooltip target={target} opened multiline label={<ExactTimes date={date} />} />}
    </>
  );
}

function ExactTimes({ date }: { date: Date }) {
  return (
    <>
      <Text size="xs" inherit>
        {t.time.local(zone)}: {exact.format(date)}
      </Text>
      <Text size="xs" inherit>
        {t.time.utc}: {utc.format(date)}
      </Text>
    </>
  );
}

/** A time to the second, in the viewer's time zone. */
export function exactTime(at: string): string {
  return exact.format(new Date(at));
}

function words(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  }
  return seconds > 5 ? relative.format(Math.trunc(seconds), "second") : t.time.justNow;
}

// One clock for all times on a page.
let now = Date.now();
const listeners = new Set<() => void>();
setInterval(tick, 10_000);

function tick(): void {
  now = Date.now();
  for (const listener of listeners) listener();
}

function useNow(): number {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      // A newly rendered time may be later than the last tick.
      if (Date.now() - now > 1_000) tick();
      return () => listeners.delete(listener);
    },
    () => now,
  );
}
