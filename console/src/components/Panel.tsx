import type { ReactNode } from "react";
import classes from "./Panel.module.css";

/** A bordered part of a page, with a title and, at the right, actions. */
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

/** Names and values of a resource. */
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

/** A row of figures. */
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
