import type { ReactNode } from "react";
import classes from "./TwoLines.module.css";

/** Two lines in a cell of a list: a name, and in small print what identifies it. Long text is truncated. */
export function TwoLines({ first, second }: { first: ReactNode; second: ReactNode }) {
  return (
    <span className={classes.lines}>
      <span className={classes.first}>{first}</span>
      <span className={classes.second}>{second}</span>
    </span>
  );
}
