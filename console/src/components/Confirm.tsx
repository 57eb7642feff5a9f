import { Button, Group, Modal, Text } from "@mantine/core";
import { common as t } from "@strings/common";
import type { ReactNode } from "react";

interface Props {
  opened: boolean;
  title: string;
  /** What will happen, and whether it can be undone. */
  children: ReactNode;
  /** The label of the button, with a verb: "Delete webhook". */
  action: string;
  isRunning: boolean;
  onConfirm: () => void;
  onClose: () => void;
  danger?: boolean;
}

/** Asks for confirmation before a destructive action. The focus starts on Cancel. */
export function Confirm({ opened, title, children, action, isRunning, onConfirm, onClose, danger = true }: Props) {
  return (
    <Modal opened={opened} onClose={onClose} title={title}>
      <Text component="div" c="dimmed">
        {children}
      </Text>
      <Group justify="flex-end" mt="lg" gap="xs">
        <Button variant="default" onClick={onClose} data-autofocus>
          {t.actions.cancel}
        </Button>
        <Button {...(danger && { color: "danger" })} loading={isRunning} onClick={onConfirm}>
          {action}
        </Button>
      </Group>
    </Modal>
  );
}
