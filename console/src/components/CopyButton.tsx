import { ActionIcon, Group, VisuallyHidden } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";
import { common as t } from "@strings/common";
import { IconCheck, IconCopy } from "@tabler/icons-react";

/** Copies a value. `what` names it for screen readers, such as "the webhook's ID". */
export function CopyButton({ value, what }: { value: string; what: string }) {
  const clipboard = useClipboard({ timeout: 1_500 });
  const Icon = clipboard.copied ? IconCheck : IconCopy;
  return (
    <ActionIcon
      size="sm"
      aria-label={t.actions.copyWhat(what)}
      title={t.actions.copy}
      onClick={() => clipboard.copy(value)}
    >
      <Icon size={14} aria-hidden />
      <VisuallyHidden role="status">{clipboard.copied ? t.actions.copied : ""}</VisuallyHidden>
    </ActionIcon>
  );
}

/** An ID, with a button that copies it. */
export function CopyableId({ id, what }: { id: string; what: string }) {
  return (
    <Group gap={4} wrap="nowrap">
      <code>{id}</code>
      <CopyButton value={id} what={what} />
    </Group>
  );
}
