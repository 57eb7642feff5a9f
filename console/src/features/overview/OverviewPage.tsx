import { useList } from "@api/queries";
import { useCan } from "@api/session";
import { EmptyState } from "@components/EmptyState";
import { ErrorPanel } from "@components/ErrorPanel";
import { PageHeader } from "@components/PageHeader";
import { RequireScope } from "@components/RequireScope";
import { Button, SegmentedControl } from "@mantine/core";
import "@mantine/core/styles/SegmentedControl.css";
import { overview as t } from "@strings/overview";
import { IconGauge } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { Attention } from "./Attention";
import { Charts } from "./Charts";
import { Health } from "./Health";
import classes from "./overview.module.css";
import { analytics, healthList, PERIODS, type Period } from "./queries";

const route = getRouteApi("/pages/overview");

export function OverviewPage() {
  return (
    <RequireScope scope="analytics:read" page>
      <Overview />
    </RequireScope>
  );
}

function Overview() {
  const { period = "24h" } = route.useSearch();
  const navigate = route.useNavigate();
  const numbers = useQuery(analytics(period));
  const health = useList(healthList);
  const isNew = !health.isPending && !health.error && health.items.every(({ kind }) => kind === "automation");
  return (
    <>
      <PageHeader title={t.title} text={t.text}>
        <SegmentedControl
          aria-label={t.period}
          value={period}
          data={PERIODS.map((value) => ({ value, label: t.periods[value] }))}
          onChange={(value) =>
            void navigate({ search: { period: value === "24h" ? undefined : (value as Exclude<Period, "24h">) } })
          }
        />
      </PageHeader>
      {isNew ? (
        <Start />
      ) : (
        <div className={classes.page}>
          {health.error && health.items.length === 0 ? (
            <ErrorPanel error={health.error} onRetry={health.reload} />
          ) : (
            <>
              <Attention list={health} />
              <Health list={health} />
            </>
          )}
          {numbers.error ? (
            <ErrorPanel error={numbers.error} onRetry={() => void numbers.refetch()} />
          ) : (
            <Charts analytics={numbers.data ?? null} isStale={numbers.isPlaceholderData} />
          )}
        </div>
      )}
    </>
  );
}

function Start() {
  const navigate = useNavigate();
  const canSee = useCan("webhooks:read");
  return (
    <EmptyState icon={IconGauge} title={t.start.title} text={t.start.text}>
      {canSee && <Button onClick={() => void navigate({ to: "/webhooks" })}>{t.start.webhooks}</Button>}
    </EmptyState>
  );
}
