import { useList } from "@api/queries";
import { Confirm } from "@components/Confirm";
import { CopyButton } from "@components/CopyButton";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
import { Facts } from "@components/Panel";
import { RequireScope } from "@components/RequireScope";
import { StatusBadge, type Tone } from "@components/StatusBadge";
import { TaskProgress } from "@components/TaskProgress";
import { exactTime, TimeAgo } from "@components/TimeAgo";
import { Button, Drawer, Group, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { Task, TaskStatus } from "@sdk/generated/models";
import { common } from "@strings/common";
import { sending } from "@strings/sending";
import { IconHistory, IconPlayerStop } from "@tabler/icons-react";
import { getRouteApi, Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Notice } from "./Notice";
import classes from "./parts.module.css";
import { replayList, useCancelTask } from "./queries";

const route = getRouteApi("/pages/webhooks/$webhookId");
const t = sending.tasks;

const TONES: Record<TaskStatus, Tone> = {
  RUNNING: "info",
  SUCCEEDED: "success",
  FAILED: "danger",
  CANCELLED: "neutral",
};

const COLUMNS: readonly Column<Task>[] = [
  {
    key: "range",
    title: t.columns.range,
    width: "2fr",
    render: (task) => (
      <>
        <span className={classes.name}>{rangeOf(task)}</span>
        <span className={classes.url}>{whatOf(task)}</span>
      </>
    ),
  },
  {
    key: "status",
    title: t.columns.status,
    width: "110px",
    render: ({ status }) => <StatusBadge tone={TONES[status]}>{t.statuses[status]}</StatusBadge>,
  },
  {
    key: "progress",
    title: t.columns.progress,
    width: "1.2fr",
    hide: "small",
    render: (task) => <TaskProgress task={task} />,
  },
  { key: "by", title: t.columns.by, width: "1fr", hide: "narrow", render: ({ createdBy }) => createdBy },
  {
    key: "created",
    title: t.columns.created,
    width: "110px",
    align: "end",
    hide: "small",
    render: ({ createdAt }) => <TimeAgo at={createdAt} />,
  },
];

/** The replays of a webhook, with their progress. */
export function Replays({ webhookId, action }: { webhookId: string; action: ReactNode }) {
  const { task: taskId } = route.useSearch();
  const navigate = route.useNavigate();
  const list = useList(replayList(webhookId));
  const task = list.items.find(({ id }) => id === taskId) ?? null;
  return (
    <>
      <DataList
        label={t.listLabel}
        list={list}
        columns={COLUMNS}
        rowHeight={60}
        primary={(item, content) => (
          <Link
            to="/webhooks/$webhookId"
            params={{ webhookId }}
            search={{ tab: "replays", task: item.id }}
            aria-label={t.open(rangeOf(item))}
          >
            {content}
          </Link>
        )}
        empty={
          <EmptyState icon={IconHistory} title={t.emptyTitle} text={t.empty}>
            {action}
          </EmptyState>
        }
      />
      <Drawer
        opened={task !== null}
        onClose={() => void navigate({ search: { tab: "replays" } })}
        position="right"
        size={520}
        title={t.title}
        closeButtonProps={{ "aria-label": common.actions.close }}
      >
        {task !== null && <Content task={task} />}
      </Drawer>
    </>
  );
}

function Content({ task }: { task: Task }) {
  return (
    <Stack gap="md">
      {task.error && (
        <Notice tone="danger" title={t.facts.error}>
          <p>{task.error.detail}</p>
        </Notice>
      )}
      <Facts facts={facts(task)} />
      <Text size="sm" c="dimmed">
        {t.queuedHelp}
      </Text>
      {task.status === "RUNNING" && (
        <RequireScope scope="webhooks:write">
          <Cancel id={task.id} />
        </RequireScope>
      )}
    </Stack>
  );
}

function Cancel({ id }: { id: string }) {
  const [isAsking, confirm] = useDisclosure(false);
  const cancel = useCancelTask(id, confirm.close);
  return (
    <div>
      <Button variant="default" leftSection={<IconPlayerStop size={16} aria-hidden />} onClick={confirm.open}>
        {t.cancel}
      </Button>
      <Confirm
        opened={isAsking}
        title={t.cancelTitle}
        action={t.cancel}
        isRunning={cancel.isPending}
        onConfirm={() => cancel.mutate()}
        onClose={confirm.close}
      >
        {t.cancelText}
      </Confirm>
    </div>
  );
}

function facts(task: Task): (readonly [string, ReactNode])[] {
  const names = t.facts;
  const types = texts(task.parameters.eventTypes);
  return [
    [
      names.status,
      <StatusBadge key="status" tone={TONES[task.status]}>
        {t.statuses[task.status]}
      </StatusBadge>,
    ],
    [names.progress, <TaskProgress key="progress" task={task} />],
    [names.range, rangeOf(task)],
    [names.what, whatOf(task)],
    [names.types, types.length === 0 ? t.allTypes : types.join(", ")],
    [names.by, task.createdBy],
    [names.created, <TimeAgo key="created" at={task.createdAt} />],
    ...(task.endedAt ? [[names.ended, <TimeAgo key="ended" at={task.endedAt} />] as const] : []),
    [
      names.id,
      <Group key="id" gap={4}>
        <code>{task.id}</code>
        <CopyButton value={task.id} what={names.id} />
      </Group>,
    ],
  ];
}

function rangeOf({ parameters: { since, until }, createdAt }: Task): string {
  if (typeof since !== "string") return t.title;
  return t.range(exactTime(since), exactTime(typeof until === "string" ? until : createdAt));
}

/** What a replay sends, in words. */
function whatOf({ parameters: { statuses, missing } }: Task): string {
  const words = texts(statuses).map((status) =>
    status === "FAILED" || status === "CANCELLED" || status === "DELIVERED" ? t[status] : status,
  );
  if (missing === true) words.push(t.missing);
  return words.length === 0 ? t.failed : sentence(words.join(", "));
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
