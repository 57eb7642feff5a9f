import { FormError } from "@components/ErrorPanel";
import { FormActions } from "@components/FormActions";
import { options } from "@components/options";
import { fieldErrors } from "@components/problem";
import { Secret } from "@components/Secret";
import { exactTime } from "@components/TimeAgo";
import { Button, Group, Modal, NativeSelect, Stack, Text, TextInput } from "@mantine/core";
import type { Webhook } from "@sdk/generated/models";
import { sending } from "@strings/sending";
import { type FormEvent, useState } from "react";
import { useRotateSecret } from "./queries";

const t = sending.rotate;

interface Rotated {
  secret: string;
  /** When the old secrets stop working, or null if they already have. */
  until: string | null;
}

/** Gives a webhook a new signing secret, and shows it once. */
export function RotateSecret({ webhook, opened, onClose }: { webhook: Webhook; opened: boolean; onClose: () => void }) {
  const [rotated, setRotated] = useState<Rotated | null>(null);
  function close(): void {
    onClose();
    setRotated(null);
  }
  return (
    <Modal
      opened={opened}
      onClose={close}
      title={rotated === null ? t.title : t.doneTitle}
      // A click outside would lose the secret.
      closeOnClickOutside={rotated === null}
      closeOnEscape={rotated === null}
    >
      {rotated === null ? (
        <Form webhook={webhook} onRotated={setRotated} onCancel={close} />
      ) : (
        <Stack gap="md">
          <Text c="dimmed">{rotated.until === null ? t.doneNow : t.doneOverlap(exactTime(rotated.until))}</Text>
          <Secret label={t.secret} value={rotated.secret} />
          <Group justify="flex-end">
            <Button onClick={close}>{t.close}</Button>
          </Group>
        </Stack>
      )}
    </Modal>
  );
}

interface FormProps {
  webhook: Webhook;
  onRotated: (rotated: Rotated) => void;
  onCancel: () => void;
}

function Form({ webhook, onRotated, onCancel }: FormProps) {
  const [overlap, setOverlap] = useState("86400");
  const [own, setOwn] = useState("");
  const rotate = useRotateSecret(webhook.id);
  const errors = fieldErrors(rotate.error);

  function submit(event: FormEvent): void {
    event.preventDefault();
    const overlapSeconds = Number(overlap);
    rotate.mutate(
      { overlapSeconds, ...(own.trim() !== "" && { secret: own.trim() }) },
      {
        onSuccess: ({ secret }) =>
          onRotated({
            secret,
            until: overlapSeconds === 0 ? null : new Date(Date.now() + overlapSeconds * 1_000).toISOString(),
          }),
      },
    );
  }

  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Text c="dimmed">{t.text}</Text>
        <NativeSelect
          label={t.overlap}
          description={overlap === "0" ? t.now : t.steps}
          inputWrapperOrder={["label", "input", "description", "error"]}
          data={options(t.overlaps)}
          value={overlap}
          error={errors.overlapSeconds}
          onChange={(event) => setOverlap(event.currentTarget.value)}
        />
        <TextInput
          label={t.own}
          description={t.ownHelp}
          type="password"
          autoComplete="new-password"
          value={own}
          error={errors.secret}
          onChange={(event) => setOwn(event.currentTarget.value)}
        />
        <FormError error={rotate.error} fields={["overlapSeconds", "secret"]} />
        <FormActions submit={t.submit} isRunning={rotate.isPending} isDangerous={overlap === "0"} onCancel={onCancel} />
      </Stack>
    </form>
  );
}
