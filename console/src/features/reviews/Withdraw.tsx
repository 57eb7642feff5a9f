import { FormError } from "@components/ErrorPanel";
import { FormActions } from "@components/FormActions";
import { fieldErrors } from "@components/problem";
import { Button, Modal, Stack, Text, Textarea } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { PublicationDetail } from "@sdk/generated/models";
import { reviews } from "@strings/reviews";
import { type FormEvent, useState } from "react";
import { nameOf } from "./publication";
import { useDecide } from "./queries";

const t = reviews.withdraw;

/** The button that removes a publication from the marketplace, and the dialog that asks for a reason. */
export function Withdraw({ publication }: { publication: PublicationDetail }) {
  const [isAsking, ask] = useDisclosure(false);
  return (
    <>
      <Text c="dimmed" size="sm" mb="sm">
        {t.text}
      </Text>
      <Button variant="default" color="danger" onClick={ask.open}>
        {t.action}
      </Button>
      <Modal opened={isAsking} onClose={ask.close} title={t.title(nameOf(publication))}>
        <Form publication={publication} onClose={ask.close} />
      </Modal>
    </>
  );
}

function Form({ publication, onClose }: { publication: PublicationDetail; onClose: () => void }) {
  const [reason, setReason] = useState("");
  const [isMissing, setMissing] = useState(false);
  const decide = useDecide(publication, onClose);
  const errors = fieldErrors(decide.error);

  function submit(event: FormEvent): void {
    event.preventDefault();
    const text = reason.trim();
    setMissing(text === "");
    if (text !== "") decide.mutate({ decision: "WITHDRAW", reviewReason: text });
  }

  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Text c="dimmed">{t.consequence(publication.copyCount)}</Text>
        <Textarea
          label={reviews.decide.reason}
          description={reviews.decide.reasonHelp}
          required
          data-autofocus
          maxLength={500}
          autosize
          minRows={2}
          value={reason}
          error={isMissing && reason.trim() === "" ? t.reasonMissing : errors.reviewReason}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
        <FormError error={decide.error} fields={["reviewReason"]} />
        <FormActions submit={t.action} isRunning={decide.isPending} isDangerous onCancel={onClose} />
      </Stack>
    </form>
  );
}
