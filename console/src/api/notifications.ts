import { useSyncExternalStore } from "react";

/**
 * A `message` disappears after a few seconds. The tone `warning` means that the action was done, but with a caveat. An
 * `error` is shown with what to do, and stays until the user closes it.
 */
export type Notice = { message: string; tone?: "success" | "warning" } | { error: unknown };

export type ShownNotice = Notice & { id: number };

const SHOWN_MS = 5_000;
let notices: readonly ShownNotice[] = [];
let nextId = 1;
const listeners = new Set<() => void>();

export function notify(notice: Notice): void {
  const shown = { ...notice, id: nextId++ };
  set([...notices.slice(-3), shown]);
  if ("message" in notice) setTimeout(() => dismiss(shown.id), SHOWN_MS);
}

export function dismiss(id: number): void {
  set(notices.filter((notice) => notice.id !== id));
}

export function useNotices(): readonly ShownNotice[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => notices,
  );
}

function set(next: readonly ShownNotice[]): void {
  notices = next;
  for (const listener of listeners) listener();
}
