import { Confirm } from "@components/Confirm";
import { webhookForm } from "@strings/webhook-form";

const t = webhookForm.leave;

interface Props {
  blocker: { status: "idle" | "blocked"; proceed?: (() => void) | undefined; reset?: (() => void) | undefined };
}

/** Asks for confirmation before the user leaves a form with unsaved changes. */
export function LeaveForm({ blocker }: Props) {
  return (
    <Confirm
      opened={blocker.status === "blocked"}
      title={t.title}
      action={t.action}
      isRunning={false}
      onConfirm={() => blocker.proceed?.()}
      onClose={() => blocker.reset?.()}
    >
      {t.text}
    </Confirm>
  );
}
