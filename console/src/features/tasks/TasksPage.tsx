import { useList } from "@api/queries";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
import { options } from "@components/options";
import { PageHeader } from "@components/PageHeader";
import { RequireScope } from "@components/RequireScope";
import { StatusBadge } from "@components/StatusBadge";
import { TimeAgo } from "@components/TimeAgo";
import { Toolbar } from "@components/Toolbar";
import { TwoLines } from "@components/TwoLines";
import { Progress, TONES, taskName, webhookOf } from "@components/tasks/parts";
import { TaskDrawer } from "@components/tasks/TaskDrawer";
import { Button } from "@mantine/core";
import type { Task, TaskStatus } from "@sdk/generated/models";
import { tasks as t } from "@strings/tasks";
import { IconListCheck } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { taskList, webhookNames } from "./queries";

const route = getRouteApi("/pages/tasks");

export function TasksPage() {
  return (
    <RequireScope scope="webhooks:read" page>
      <Tasks />
    </RequireScope>
  );
}

function Tasks() {
  const { status, task } = route.useSearch();
  const navigate = route.useNavigate();
  const list = useList(taskList(status));
  const names = useQuery(webhookNames).data;
  const columns = useMemo(() => columnsOf(names), [names]);
  const opened = list.items.find(({ id }) => id === task) ?? null;
  return (
    <>
      <PageHeader title={t.title} text={t.text} />
      <Toolbar
        filters={[
          {
            label: t.status,
            value: status,
            options: options(t.statuses, t.allStatuses),
            onChange: (value) => void navigate({ search: { status: value as TaskStatus | undefined } }),
          },
        ]}
      />
      <DataList
        label={t.listLabel}
        list={list}
        columns={columns}
        rowHeight={60}
        primary={(item, content) => (
          <Link to="/tasks" search={{ status, task: item.id }} aria-label={t.open(taskName(item))}>
            {content}
          </Link>
        )}
        empty={
          <EmptyState
            icon={IconListCheck}
            title={status ? t.noMatchTitle : t.emptyTitle}
            text={status ? t.noMatch : t.empty}
          >
            {!status && <Button onClick={() => void navigate({ to: "/webhooks" })}>{t.webhooks}</Button>}
          </EmptyState>
        }
      />
      <TaskDrawer task={opened} names={names} onClose={() => void navigate({ search: { status } })} />
    </>
  );
}

function columnsOf(names: ReadonlyMap<string, string> | undefined): readonly Column<Task>[] {
  return [
    {
      key: "task",
      title: t.columns.task,
      width: "2fr",
      render: (task) => <TwoLines first={taskName(task)} second={webhookOf(task, names)} />,
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
      render: (task) => <Progress task={task} />,
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
}
