import type { ReactNode } from "react";
import classes from "./Log.module.css";
import { TimeAgo } from "./TimeAgo";

interface Entry {
  id: string;
  what: ReactNode;
  /** Who did it, and the details. */
  detail: string;
  at: string;
}

/** Shows a few log entries in a drawer. For a list of any length, use <DataList>. */
export function Log({ entries }: { entries: readonly Entry[] }) {
  return (
    <ul className={classes.log}>
      {entries.map(({ id, what, detail, at }) => (
        <li key={id}>
          <div className={classes.what}>
            {what}
            <p>{detail}</p>
          </div>
          <TimeAgo at={at} />
        </li>
      ))}
    </ul>
  );
}
