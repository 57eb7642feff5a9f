import type { Tone } from "@components/StatusBadge";
import type { Task, TaskStatus } from "@sdk/generated/models";
import { tasks as t } from "@strings/tasks";
import classes from "./tasks.module.css";

export const TONES: Record<TaskStatus, Tone> = {
  RUNNING: "info",
  SUCCEEDED: "success",
  FAILED: "danger",
  CANCELLED: "neutral",
};

/** The name of a task's webhook, or null for a task of the whole workspace. */
export function webhookOf({ webhookId }: Task, names: ReadonlyMap<string, string> | undefined): string | null {
  if (webhookId === null) return null;
  const name = names?.get(webhookId);
  return name === undefined ? t.unknownWebhook(webhookId) : t.forWebhook(name);
}

export function taskName(task: Task): string {
  return t.types[task.type] ?? task.type;
}

/** The progress of a task: a bar and numbers. */
export function Progress({ task: { done, total, status } }: { task: Task }) {
  const text = t.progress(done, total);
  const isKnown = total !== null && total > 0;
  return (
    <span className={classes.progress}>
      {isKnown && (
        <progress
          className={classes.bar}
          data-status={status}
          max={total}
          value={Math.min(done, total)}
          aria-label={t.progressLabel(text)}
        />
      )}
      {text}
    </span>
  );
}
