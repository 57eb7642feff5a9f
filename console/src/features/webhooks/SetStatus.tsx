import { FormActions } from "@components/FormActions";
import { Modal, Stack, Text, TextInput } from "@mantine/core";
import type { Webhook } from "@sdk/generated/models";
import { webhooks } from "@strings/webhooks";
import { type FormEvent, useState } from "react";
import { useSetStatus } from "./queries";

const t = webhooks.detail;

interface Props {
  webhook: Webhook;
  /** The status to set; null while the dialog is closed. */
  status: "PAUSED" | "INACTIVE" | null;
  onClose: () => void;
}

/** Asks for confirmation before it pauses or deactivates a webhook, and for a reason that others see. */
export function SetStatus({ webhook, status, onClose }: Props) {
  return (
    <Modal
      opened={status !== null}
      onClose={onClose}
      title={status === "INACTIVE" ? t.deactivateTitle(webhook.name) : t.pauseTitle(webhook.name)}
    >
      {status !== null && <Form webhook={webhook} status={status} onClose={onClose} />}
    </Modal>
  );
}

function Form({ webhook, status, onClose }: Props & { status: "PAUSED" | "INACTIVE" }) {
  const [reason, setReason] = useState("");
  const setStatus = useSetStatus(webhook.id, onClose);
  const isPause = status === "PAUSED";

  function submit(event: FormEvent): void {
    event.preventDefault();
    setStatus.mutate({ status, ...(reason.trim() !== "" && { statusReason: reason.trim() }) });
  }

  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Text c="dimmed">
          {isPause ? t.pauseText : webhook.kind === "pull" ? t.deactivateFeedText : t.deactivateText}
        </Text>
        <TextInput
          label={t.reason}
          description={t.reasonHelp}
          maxLength={500}
          data-autofocus
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
        <FormActions
          submit={isPause ? t.pause : t.deactivate}
          isRunning={setStatus.isPending}
          isDangerous={!isPause}
          onCancel={onClose}
        />
      </Stack>
    </form>
  );
}
