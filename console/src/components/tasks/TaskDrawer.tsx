import { Confirm } from "@components/Confirm";
import { CopyableId } from "@components/CopyButton";
import { Facts } from "@components/Panel";
import { RequireScope } from "@components/RequireScope";
import { StatusBadge } from "@components/StatusBadge";
import { exactTime, TimeAgo } from "@components/TimeAgo";
import { Button, Drawer, Group, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { Task } from "@sdk/generated/models";
import { statuses } from "@strings/statuses";
import { tasks as t } from "@strings/tasks";
import { IconPlayerStop } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Progress, TONES, taskName } from "./parts";
import { useCancelTask } from "./queries";

interface Props {
  task: Task | null;
  names: ReadonlyMap<string, string> | undefined;
  onClose: () => void;
}

/** A task: what was requested, its progress, and a way to stop it. */
export function TaskDrawer({ task, names, onClose }: Props) {
  return (
    <Drawer opened={task !== null} onClose={onClose} title={task === null ? t.title : taskName(task)}>
      {task !== null && <Content task={task} names={names} />}
    </Drawer>
  );
}

function Content({ task, names }: { task: Task; names: ReadonlyMap<string, string> | undefined }) {
  return (
    <Stack gap="lg">
      <Group justify="space-between">
        <StatusBadge tone={TONES[task.status]}>{t.statuses[task.status]}</StatusBadge>
        {task.status === "RUNNING" && (
          <RequireScope scope="webhooks:write">
            <Cancel id={task.id} />
          </RequireScope>
        )}
      </Group>
      {task.error && (
        <div role="note">
          <Text fw={600}>{t.error}</Text>
          <Text c="dimmed">{task.error.detail}</Text>
        </div>
      )}
      <Facts facts={facts(task, names)} />
    </Stack>
  );
}

function Cancel({ id }: { id: string }) {
  const [isOpen, confirm] = useDisclosure(false);
  const cancel = useCancelTask(id, confirm.close);
  return (
    <>
      <Button variant="default" leftSection={<IconPlayerStop size={16} aria-hidden />} onClick={confirm.open}>
        {t.cancel}
      </Button>
      <Confirm
        opened={isOpen}
        title={t.cancelTitle}
        action={t.cancel}
        isRunning={cancel.isPending}
        onConfirm={() => cancel.mutate()}
        onClose={confirm.close}
      >
        {t.cancelText}
      </Confirm>
    </>
  );
}

function facts(task: Task, names: ReadonlyMap<string, string> | undefined): (readonly [string, ReactNode])[] {
  const { since, until, eventTypes, statuses: wanted } = task.parameters;
  const found: (readonly [string, ReactNode | null])[] = [
    [t.facts.progress, <Progress key="progress" task={task} />],
    [t.facts.step, task.step],
    [
      t.facts.webhook,
      task.webhookId && (
        <Link to="/webhooks/$webhookId" params={{ webhookId: task.webhookId }}>
          {names?.get(task.webhookId) ?? task.webhookId}
        </Link>
      ),
    ],
    [
      t.facts.period,
      typeof since === "string" && typeof until === "string" ? t.range(exactTime(since), exactTime(until)) : null,
    ],
    [t.facts.eventTypes, task.type === "webhook.replay" ? (texts(eventTypes)?.join(", ") ?? t.allTypes) : null],
    [t.facts.statuses, texts(wanted)?.map(deliveryWords).join(", ") ?? null],
    [t.facts.by, task.createdBy],
    [t.facts.started, <TimeAgo key="started" at={task.createdAt} />],
    [t.facts.ended, task.endedAt && <TimeAgo key="ended" at={task.endedAt} />],
    [t.facts.id, <CopyableId key="id" id={task.id} what={t.facts.id} />],
  ];
  return found.filter(([, value]) => value !== null);
}

function texts(value: unknown): string[] | null {
  return Array.isArray(value) ? value.map(String) : null;
}

function deliveryWords(status: string): string {
  return status in statuses.delivery
    ? statuses.delivery[status as keyof typeof statuses.delivery]
    : statuses.unknown(status);
}
