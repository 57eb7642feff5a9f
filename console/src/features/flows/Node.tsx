import { VisuallyHidden } from "@mantine/core";
import { flows as t } from "@strings/flows";
import { IconAlertTriangle, IconCheck, IconClock, IconMinus, IconX, type TablerIcon } from "@tabler/icons-react";
import classes from "./flows.module.css";
import type { Step } from "./model/definition";
import type { Selection } from "./model/edit";
import { isSelected, problemsAt, useFlowView } from "./view";
import { ICONS, runStatus, type ShownStatus, summaryOf, TRIGGER_ICON, titleOf, triggerSummary } from "./words";

const STATUS_ICONS: Record<ShownStatus, TablerIcon> = {
  RUNNING: IconClock,
  WAITING: IconClock,
  SUCCEEDED: IconCheck,
  STOPPED: IconMinus,
  FAILED: IconX,
  CANCELLED: IconMinus,
  SKIPPED: IconMinus,
};

/** A step, or the trigger if there is no `step`, as a button on the canvas and in the outline. */
export function NodeButton({ step }: { step?: Step }) {
  const { draft, selection, select, openForm, problems, statuses, names } = useFlowView();
  const own: Selection = step ? { step: step.id } : "trigger";
  const Icon = step ? ICONS[step.type] : TRIGGER_ICON;
  const status = step && statuses[step.id];
  const wrong = problemsAt(problems, own).length;
  const isCurrent = isSelected(selection, own);
  return (
    <button
      type="button"
      data-node={step?.id ?? "trigger"}
      className={`${classes.node} ${isCurrent ? classes.selected : ""} ${status === "SKIPPED" ? classes.skipped : ""}`}
      aria-current={isCurrent || undefined}
      onClick={(event) => {
        select(own);
        openForm(event.detail === 0);
      }}
    >
      <span className={`${classes.nodeIcon} ${step ? "" : classes.triggerIcon}`}>
        <Icon size={18} stroke={1.7} aria-hidden />
      </span>
      <span className={classes.nodeText}>
        <span className={classes.name}>{step ? titleOf(step) : t.editor.trigger}</span>
        <span className={classes.about}>{step ? summaryOf(step, names) : triggerSummary(draft.trigger)}</span>
      </span>
      {status && <StatusMark status={status} />}
      {wrong > 0 && (
        <span className={classes.wrong} title={t.editor.problems(wrong)}>
          <IconAlertTriangle size={16} aria-hidden />
          <VisuallyHidden>{t.editor.problems(wrong)}</VisuallyHidden>
        </span>
      )}
    </button>
  );
}

function StatusMark({ status }: { status: ShownStatus }) {
  const { tone, children } = runStatus(status);
  const Icon = STATUS_ICONS[status];
  return (
    <span className={`${classes.mark} ${classes[tone]}`} title={children}>
      <Icon size={12} stroke={2.5} aria-hidden />
      <VisuallyHidden>{children}</VisuallyHidden>
    </span>
  );
}
