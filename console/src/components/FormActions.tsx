import { Button, Group } from "@mantine/core";
import { common as t } from "@strings/common";

interface Props {
  /** What the button does, as a verb: "Create API key". */
  submit: string;
  isRunning?: boolean;
  isDisabled?: boolean;
  /** It destroys something. */
  isDangerous?: boolean;
  onCancel: () => void;
}

/** The buttons at the end of a dialog's form: Cancel, and the one that submits it. */
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
