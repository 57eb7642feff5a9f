import { Group, Text } from "@mantine/core";
import { common as t } from "@strings/common";
import { IconKey } from "@tabler/icons-react";
import { CopyButton } from "./CopyButton";
import classes from "./Secret.module.css";

/** A secret that the API shows only once. Keep it in the state of the dialog that shows it, and nowhere else. */
export function Secret({ value, label }: { value: string; label: string }) {
  return (
    <div>
      <Text size="sm" fw={500} mb={4}>
        {label}
      </Text>
      <div className={classes.box}>
        <code className={classes.value}>{value}</code>
        <CopyButton value={value} what={label} />
      </div>
      <Group gap={6} mt={8} wrap="nowrap" c="dimmed">
        <IconKey size={14} aria-hidden />
        <Text size="xs">{t.secret.shownOnce}</Text>
      </Group>
    </div>
  );
}
