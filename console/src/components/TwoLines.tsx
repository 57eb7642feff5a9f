import type { ReactNode } from "react";
import classes from "./TwoLines.module.css";

/** In a cell of a list: a name, and below it in small letters what tells it from others. Long texts are cut. */
export function TwoLines({ first, second }: { first: ReactNode; second: ReactNode }) {
  return (
    <span className={classes.lines}>
      <span className={classes.first}>{first}</span>
      <span className={classes.second}>{second}</span>
    </span>
  );
}
