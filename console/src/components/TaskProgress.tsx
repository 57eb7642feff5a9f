import type { Task } from "@sdk/generated/models";
import { sending } from "@strings/sending";
import classes from "./TaskProgress.module.css";

/** How far a task is: a bar, and numbers. */
export function TaskProgress({ task: { done, total, status } }: { task: Task }) {
  const text = sending.tasks.done(done, total);
  return (
    <span className={classes.progress}>
      {total !== null && total > 0 && (
        <progress
          className={classes.bar}
          data-status={status}
          max={total}
          value={Math.min(done, total)}
          aria-label={sending.tasks.progress(text)}
        />
      )}
      {text}
    </span>
  );
}
