import { CopyableId } from "@components/CopyButton";
import { Facts } from "@components/Panel";
import { exactTime } from "@components/TimeAgo";
import { Button, Drawer, Group, Text } from "@mantine/core";
import type { AuditEntry } from "@sdk/generated/models";
import { audit as t } from "@strings/audit";
import { statuses } from "@strings/statuses";
import type { ReactNode } from "react";
import { Outcome } from "./Outcome";
import type { AuditSearch } from "./routes";

interface Props {
  entry: AuditEntry | null;
  onFilter: (change: AuditSearch) => void;
  onClose: () => void;
}

/** Shows all details of one request. */
export function EntryDrawer({ entry, onFilter, onClose }: Props) {
  return (
    <Drawer opened={entry !== null} onClose={onClose} title={entry ? t.what(entry.action) : t.detail.title}>
      {entry && (
        <>
          <Facts facts={facts(entry)} />
          <Text size="xs" c="dimmed" mt="md">
            {t.detail.hint}
          </Text>
          <Group mt="lg" gap="xs">
            <Button variant="default" onClick={() => onFilter({ actor: entry.actor })}>
              {t.detail.onlyActor}
            </Button>
            {entry.target !== null && (
              <Button variant="default" onClick={() => onFilter({ target: entry.target ?? undefined })}>
                {t.detail.onlyTarget}
              </Button>
            )}
          </Group>
        </>
      )}
    </Drawer>
  );
}

function facts(entry: AuditEntry) {
  const names = t.detail;
  return [
    [names.outcome, <Outcome key="outcome" entry={entry} />],
    ...(entry.reason === null ? [] : [[names.reason, statuses.reason(entry.reason)] as const]),
    [names.action, <code key="action">{entry.action}</code>],
    ...(entry.actorLabel === null ? [] : [[names.actor, entry.actorLabel] as const]),
    [names.actorId, <CopyableId key="actor" id={entry.actor} what={names.actorId} />],
    [names.target, entry.target === null ? names.none : <CopyableId key="t" id={entry.target} what={names.target} />],
    [names.fields, entry.fields.length === 0 ? names.none : entry.fields.join(", ")],
    [names.requestId, <CopyableId key="request" id={entry.requestId} what={names.requestId} />],
    [names.ip, entry.ip ?? names.none],
    [names.when, exactTime(entry.createdAt)],
  ] as const satisfies readonly (readonly [string, ReactNode])[];
}
