import { FormError } from "@components/ErrorPanel";
import { fieldErrors } from "@components/problem";
import { Button, Checkbox, Group, Radio, Stack, Text, Textarea, TextInput } from "@mantine/core";
import "@mantine/core/styles/Checkbox.css";
import "@mantine/core/styles/Radio.css";
import type { PublicationDetail } from "@sdk/generated/models";
import { reviews } from "@strings/reviews";
import { type FormEvent, useRef, useState } from "react";
import { useDecide } from "./queries";

const t = reviews.decide;

type Choice = "APPROVE" | "REJECT";

/** The fields that show their errors themselves. */
const FIELDS = ["publisherName", "reviewReason"];

/** The form that approves or rejects the version on the screen. */
export function Decide({ publication }: { publication: PublicationDetail }) {
  const { version, publisherName, verified } = publication;
  const [choice, setChoice] = useState<Choice>("APPROVE");
  const [name, setName] = useState(publisherName ?? "");
  const [isVerified, setVerified] = useState(verified);
  const [reason, setReason] = useState("");
  const [isMissing, setMissing] = useState(false);
  const reasonInput = useRef<HTMLTextAreaElement>(null);
  // The version to decide on: the one that was shown when the form opened, or that the reviewer has looked at since.
  const [reviewed, setReviewed] = useState(version);
  const decide = useDecide(publication, () => setReason(""));
  const errors = fieldErrors(decide.error);
  const isApproval = choice === "APPROVE";
  const hasChanged = reviewed !== version;

  function submit(event: FormEvent): void {
    event.preventDefault();
    const note = reason.trim();
    setMissing(!isApproval && note === "");
    if (!isApproval && note === "") {
      reasonInput.current?.focus();
      return;
    }
    decide.mutate({
      decision: choice,
      version: reviewed,
      ...(note !== "" && { reviewReason: note }),
      ...(isApproval && { verified: isVerified, ...(name.trim() !== "" && { publisherName: name.trim() }) }),
    });
  }

  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Radio.Group label={t.choice} value={choice} onChange={(value) => setChoice(value as Choice)}>
          <Group mt={4}>
            <Radio value="APPROVE" label={t.approve} />
            <Radio value="REJECT" label={t.reject} />
          </Group>
        </Radio.Group>
        <Text c="dimmed" size="sm">
          {isApproval ? t.approveText : t.rejectText}
        </Text>
        {isApproval && (
          <>
            <TextInput
              label={t.publisherName}
              description={t.publisherNameHelp}
              maxLength={100}
              autoComplete="off"
              value={name}
              error={errors.publisherName}
              onChange={(event) => setName(event.currentTarget.value)}
            />
            <Checkbox
              label={t.verified}
              description={t.verifiedHelp}
              checked={isVerified}
              onChange={(event) => setVerified(event.currentTarget.checked)}
            />
          </>
        )}
        <Textarea
          ref={reasonInput}
          label={isApproval ? t.note : t.reason}
          description={isApproval ? t.noteHelp : t.reasonHelp}
          required={!isApproval}
          maxLength={500}
          autosize
          minRows={2}
          value={reason}
          error={isMissing && reason.trim() === "" ? t.reasonMissing : errors.reviewReason}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
        <FormError error={decide.error} fields={FIELDS} />
        {hasChanged ? (
          <div role="alert">
            <Text size="sm" mb="xs">
              {t.changedMeanwhile}
            </Text>
            <Button
              variant="default"
              onClick={() => {
                setReviewed(version);
                decide.reset();
              }}
            >
              {t.lookedAgain}
            </Button>
          </div>
        ) : (
          <div>
            <Button type="submit" loading={decide.isPending} {...(!isApproval && { color: "danger" })}>
              {isApproval ? t.approve : t.reject}
            </Button>
          </div>
        )}
      </Stack>
    </form>
  );
}
