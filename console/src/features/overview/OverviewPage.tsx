import { useList } from "@api/queries";
import { useCan } from "@api/session";
import { EmptyState } from "@components/EmptyState";
import { ErrorPanel } from "@components/ErrorPanel";
import { PageHeader } from "@components/PageHeader";
import { RequireScope } from "@components/RequireScope";
import { Button } from "@mantine/core";
import { overview as t } from "@strings/overview";
import { IconGauge } from "@tabler/icons-react";
import { useNavigate } from "@tanstack/react-router";
import { Activity } from "./Activity";
import { Attention } from "./Attention";
import { Health } from "./Health";
import classes from "./overview.module.css";
import { healthList } from "./queries";

export function OverviewPage() {
  return (
    <RequireScope scope="analytics:read" page>
      <Overview />
    </RequireScope>
  );
}

function Overview() {
  const health = useList(healthList);
  const isNew = !health.isPending && !health.error && health.items.every(({ kind }) => kind === "automation");
  return (
    <>
      <PageHeader title={t.title} text={t.text} />
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
          <Activity />
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
