import { useList } from "@api/queries";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
import { StatusBadge } from "@components/StatusBadge";
import { exactTime, TimeAgo } from "@components/TimeAgo";
import { TwoLines } from "@components/TwoLines";
import { Progress, TONES } from "@components/tasks/parts";
import { TaskDrawer } from "@components/tasks/TaskDrawer";
import type { Task, Webhook } from "@sdk/generated/models";
import { sending } from "@strings/sending";
import { tasks } from "@strings/tasks";
import { IconHistory } from "@tabler/icons-react";
import { getRouteApi, Link } from "@tanstack/react-router";
import { type ReactNode, useMemo } from "react";
import { replayList } from "./queries";

const route = getRouteApi("/pages/webhooks/$webhookId");
const t = sending.replays;

const COLUMNS: readonly Column<Task>[] = [
  {
    key: "range",
    title: t.range,
    width: "2fr",
    render: (task) => <TwoLines first={rangeOf(task)} second={whatOf(task)} />,
  },
  {
    key: "status",
    title: tasks.columns.status,
    width: "110px",
    render: ({ status }) => <StatusBadge tone={TONES[status]}>{tasks.statuses[status]}</StatusBadge>,
  },
  {
    key: "progress",
    title: tasks.columns.progress,
    width: "1.2fr",
    hide: "small",
    render: (task) => <Progress task={task} />,
  },
  { key: "by", title: tasks.columns.by, width: "1fr", hide: "narrow", render: ({ createdBy }) => createdBy },
  {
    key: "created",
    title: tasks.columns.created,
    width: "110px",
    align: "end",
    hide: "small",
    render: ({ createdAt }) => <TimeAgo at={createdAt} />,
  },
];

interface Props {
  webhook: Pick<Webhook, "id" | "name">;
  /** The button that is shown while there are no replays. */
  action: ReactNode;
}

/** The replays of a webhook, with their progress. The URL contains the open one. */
export function Replays({ webhook: { id, name }, action }: Props) {
  const { task: taskId } = route.useSearch();
  const navigate = route.useNavigate();
  const list = useList(replayList(id));
  const names = useMemo(() => new Map([[id, name]]), [id, name]);
  return (
    <>
      <DataList
        label={t.listLabel}
        list={list}
        columns={COLUMNS}
        rowHeight={60}
        primary={(task, content) => (
          <Link
            to="/webhooks/$webhookId"
            params={{ webhookId: id }}
            search={{ tab: "replays", task: task.id }}
            aria-label={t.open(rangeOf(task))}
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
      <TaskDrawer
        task={list.items.find((task) => task.id === taskId) ?? null}
        names={names}
        onClose={() => void navigate({ search: { tab: "replays" } })}
      />
    </>
  );
}

function rangeOf({ parameters: { since, until }, createdAt }: Task): string {
  if (typeof since !== "string") return tasks.title;
  return tasks.range(exactTime(since), exactTime(typeof until === "string" ? until : createdAt));
}

/** Describes what a replay sends. */
function whatOf({ parameters: { statuses, missing } }: Task): string {
  const words = (Array.isArray(statuses) ? statuses.map(String) : []).map((status) => t.statuses[status] ?? status);
  if (missing === true) words.push(t.missing);
  const text = words.join(", ");
  return text === "" ? t.usual : text.charAt(0).toUpperCase() + text.slice(1);
}
