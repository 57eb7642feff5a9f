import type { ReactNode } from "react";
import classes from "./Section.module.css";

/** A section of a drawer, with a heading if it has a title. */
export function Section({ title, children }: { title?: string; children: ReactNode }) {
  if (title === undefined) return <div className={classes.section}>{children}</div>;
  return (
    <section className={classes.section} aria-label={title}>
      <h3>{title}</h3>
      {children}
    </section>
  );
}
