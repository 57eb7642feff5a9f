import type { List } from "@api/queries";
import type { Tone } from "@components/StatusBadge";
import { Button, Skeleton } from "@mantine/core";
import type { HealthItem, HealthState } from "@sdk/generated/models";
import { overview as t } from "@strings/overview";
import { useMemo } from "react";
import classes from "./overview.module.css";
import { countsOf, type KindCounts } from "./problems";

const TONES: Record<HealthState, Tone> = {
  HEALTHY: "success",
  DEGRADED: "warning",
  FAILING: "danger",
  DISABLED: "danger",
  PAUSED: "info",
  INACTIVE: "neutral",
  UNKNOWN: "neutral",
};

/** The number of webhooks, connections and integrations in each state. */
export function Health({ list }: { list: List<HealthItem> }) {
  const counts = useMemo(() => countsOf(list.items), [list.items]);
  return (
    <section aria-label={t.health.title}>
      <div className={classes.kinds}>
        {counts.map((each) => (
          <Kind key={each.kind} counts={each} isPending={list.isPending} />
        ))}
      </div>
      {list.hasMore && (
        <p className={classes.partial}>
          {t.health.partial(list.items.length)}
          <Button variant="subtle" size="compact-sm" loading={list.isLoadingMore} onClick={list.loadMore}>
            {t.health.rest}
          </Button>
        </p>
      )}
    </section>
  );
}

function Kind({ counts: { kind, total, states }, isPending }: { counts: KindCounts; isPending: boolean }) {
  return (
    <div className={classes.kind}>
      <h2 className={classes.kindTitle}>{t.health.kinds[kind]}</h2>
      {isPending ? (
        <Skeleton height={54} radius="sm" />
      ) : (
        <>
          <p className={classes.total}>{total.toLocaleString("en")}</p>
          <div className={classes.shares} aria-hidden>
            {states.map(({ state, count }) => (
              <span key={state} data-tone={TONES[state]} style={{ flexGrow: count }} />
            ))}
          </div>
          <ul className={classes.states}>
            {total === 0 && <li>{t.health.none}</li>}
            {states.map(({ state, count }) => (
              <li key={state} data-tone={TONES[state]}>
                {t.health.state(count, t.health.states[state])}
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}
