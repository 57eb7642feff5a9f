import { Button, Group } from "@mantine/core";
import { common as t } from "@strings/common";

interface Props {
  /** The label of the button, with a verb: "Create API key". */
  submit: string;
  isRunning?: boolean;
  isDisabled?: boolean;
  /** Whether submitting the form destroys something. */
  isDangerous?: boolean;
  onCancel: () => void;
}

/** The buttons at the end of a form in a dialog: one cancels, the other submits. */
export function FormActions({ submit, isRunning = false, isDisabled = false, isDangerous = false, onCancel }: Props) {
  return (
    <Group justify="flex-end" gap="xs">
      <Button variant="default" onClick={onCancel}>
        {t.actions.cancel}
      </Button>
      <Button type="submit" loading={isRunning} disabled={isDisabled} {...(isDangerous && { color: "danger" })}>
        {submit}
      </Button>
    </Group>
  );
}
