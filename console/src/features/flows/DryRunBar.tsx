import { StatusBadge } from "@components/StatusBadge";
import { ActionIcon, Button, CloseButton, Tooltip } from "@mantine/core";
import type { DryRun } from "@sdk/generated/models";
import { flows as t } from "@strings/flows";
import { IconChevronLeft, IconChevronRight } from "@tabler/icons-react";
import classes from "./flows.module.css";
import { useFlowView } from "./view";
import { runStatus } from "./words";

interface Props {
  result: DryRun;
  isOutdated: boolean;
  isRunning: boolean;
  onAgain: () => void;
  onClose: () => void;
}

/** Shows the result of a dry run, with buttons to go through its steps. */
export function DryRunBar({ result, isOutdated, isRunning, onAgain, onClose }: Props) {
  const { selection, select, openForm } = useFlowView();
  const reached = result.steps.filter(({ status }) => status !== "SKIPPED");
  const at = typeof selection === "object" ? reached.findIndex(({ id }) => id === selection?.step) : -1;

  function go(to: number): void {
    const step = reached[to];
    if (step === undefined) return;
    select({ step: step.id });
    openForm(false);
  }

  return (
    <section className={classes.bar} aria-label={t.dryRun.title}>
      <div className={classes.barText} role="status">
        {isOutdated ? (
          t.dryRun.outdated
        ) : result.status === null ? (
          <>
            <strong>{t.dryRun.noStart}</strong> {result.detail}
          </>
        ) : (
          <>
            <StatusBadge {...runStatus(result.status)} />
            <strong>{t.dryRun.ends[result.status]}.</strong> {t.dryRun.nothingSent}
          </>
        )}
      </div>
      {isOutdated && (
        <Button variant="default" size="compact-xs" loading={isRunning} onClick={onAgain}>
          {t.dryRun.again}
        </Button>
      )}
      {!isOutdated && reached.length > 0 && (
        <div className={classes.pager}>
          <Tooltip label={t.dryRun.previous}>
            <ActionIcon aria-label={t.dryRun.previous} disabled={at <= 0} onClick={() => go(at - 1)}>
              <IconChevronLeft size={16} aria-hidden />
            </ActionIcon>
          </Tooltip>
          <span>{t.dryRun.position(at + 1, reached.length)}</span>
          <Tooltip label={t.dryRun.next}>
            <ActionIcon aria-label={t.dryRun.next} disabled={at >= reached.length - 1} onClick={() => go(at + 1)}>
              <IconChevronRight size={16} aria-hidden />
            </ActionIcon>
          </Tooltip>
        </div>
      )}
      <CloseButton size="sm" aria-label={t.dryRun.close} onClick={onClose} />
    </section>
  );
}
