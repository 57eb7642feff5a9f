import type { ReactNode } from "react";
import classes from "./Panel.module.css";

/** A bordered section of a page, with a title and, on the right, actions. */
export function Panel({ title, actions, children }: { title: string; actions?: ReactNode; children: ReactNode }) {
  return (
    <section className={classes.panel} aria-label={title}>
      <div className={classes.head}>
        <h2 className={classes.title}>{title}</h2>
        {actions}
      </div>
      <div className={classes.body}>{children}</div>
    </section>
  );
}

/** The properties of a resource, as names and values. */
export function Facts({ facts }: { facts: readonly (readonly [name: string, value: ReactNode])[] }) {
  return (
    <dl className={classes.facts}>
      {facts.map(([name, value]) => (
        <Fact key={name} name={name} value={value} />
      ))}
    </dl>
  );
}

function Fact({ name, value }: { name: string; value: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  );
}

/** A row of key figures. */
export function Metrics({ metrics }: { metrics: readonly (readonly [name: string, value: ReactNode])[] }) {
  return (
    <dl className={classes.metrics}>
      {metrics.map(([name, value]) => (
        <div key={name} className={classes.metric}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
