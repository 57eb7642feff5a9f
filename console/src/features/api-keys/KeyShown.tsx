import { CodeBlock } from "@components/CodeBlock";
import { Secret } from "@components/Secret";
import { exactTime } from "@components/TimeAgo";
import { Button, Checkbox, Group, Modal, Stack, Text } from "@mantine/core";
import "@mantine/core/styles/Checkbox.css";
import type { ApiKeyWithSecret } from "@sdk/generated/models";
import { apiKeys as t } from "@strings/api-keys";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

interface Props {
  created: ApiKeyWithSecret | null;
  /** When the replaced key stops working; null if it already has, absent if no key was replaced. */
  oldUntil?: string | null | undefined;
  onClose: () => void;
}

/** Shows a new key, only once. To prevent accidents, it closes only after the user confirms that the key is stored. */
export function KeyShown({ created, oldUntil, onClose }: Props) {
  return (
    <Modal
      opened={created !== null}
      onClose={onClose}
      size="lg"
      withCloseButton={false}
      closeOnClickOutside={false}
      closeOnEscape={false}
      title={created && (oldUntil === undefined ? t.shown.createdTitle : t.shown.rotatedTitle)(created.name)}
    >
      {created && <Content created={created} oldUntil={oldUntil} onClose={onClose} />}
    </Modal>
  );
}

function Content({ created, oldUntil, onClose }: Props & { created: ApiKeyWithSecret }) {
  const [isSaved, setSaved] = useState(false);
  const navigate = useNavigate();
  return (
    <Stack gap="md">
      <Text c="dimmed">{t.shown.text}</Text>
      <Secret label={t.shown.label} value={created.key} />
      {oldUntil !== undefined && (
        <Text>{oldUntil === null ? t.shown.ended : t.shown.overlap(exactTime(oldUntil))}</Text>
      )}
      <div>
        <Text size="sm" fw={500} mb={4}>
          {t.shown.tryIt}
        </Text>
        <CodeBlock label={t.shown.tryIt} value={t.shown.command(location.origin)} />
      </div>
      <Checkbox
        label={t.shown.saved}
        checked={isSaved}
        data-autofocus
        onChange={(event) => setSaved(event.currentTarget.checked)}
      />
      <Group justify="flex-end" gap="xs">
        <Button variant="default" disabled={!isSaved} onClick={onClose}>
          {t.shown.done}
        </Button>
        <Button
          disabled={!isSaved}
          onClick={() => {
            onClose();
            void navigate({ to: "/api-keys/$keyId", params: { keyId: created.id } });
          }}
        >
          {t.shown.open}
        </Button>
      </Group>
    </Stack>
  );
}
