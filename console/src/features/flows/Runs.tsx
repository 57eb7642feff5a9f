import { useList } from "@api/queries";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
import { StatusBadge } from "@components/StatusBadge";
import { TimeAgo } from "@components/TimeAgo";
import { Toolbar } from "@components/Toolbar";
import type { Flow, FlowRun } from "@sdk/generated/models";
import { flows as t } from "@strings/flows";
import { IconInbox } from "@tabler/icons-react";
import { getRouteApi, Link } from "@tanstack/react-router";
import { runList } from "./queries";
import { runStatus } from "./words";

const route = getRouteApi("/pages/flows/$flowId");
const STATUSES = ["RUNNING", "WAITING", "SUCCEEDED", "STOPPED", "FAILED", "CANCELLED"] as const;

const COLUMNS: readonly Column<FlowRun>[] = [
  { key: "event", title: t.runs.columns.event, width: "1.6fr", render: ({ eventType }) => eventType },
  {
    key: "status",
    title: t.runs.columns.status,
    width: "160px",
    render: ({ status }) => <StatusBadge {...runStatus(status)} />,
  },
  { key: "step", title: t.runs.columns.step, hide: "narrow", render: ({ step }) => step },
  {
    key: "took",
    title: t.runs.columns.took,
    width: "90px",
    align: "end",
    hide: "small",
    render: ({ startedAt, endedAt }) => took(startedAt, endedAt),
  },
  {
    key: "started",
    title: t.runs.columns.started,
    width: "110px",
    align: "end",
    hide: "small",
    render: ({ startedAt }) => <TimeAgo at={startedAt} />,
  },
];

/** The runs of a flow, sorted by event, newest first. */
export function Runs({ flow }: { flow: Flow }) {
  const { status = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const known = STATUSES.find((one) => one === status);
  const list = useList(runList(flow.id, known));
  return (
    <>
      <Toolbar
        filters={[
          {
            label: t.status,
            value: known,
            options: [
              { value: "", label: t.allStatuses },
              ...STATUSES.map((value) => ({ value, label: t.runStatuses[value] })),
            ],
            onChange: (value) => void navigate({ search: { tab: "runs", status: value } }),
          },
        ]}
      />
      <DataList
        label={t.runs.listLabel}
        list={list}
        columns={COLUMNS}
        rowHeight={48}
        primary={(run, content) => (
          <Link
            to="/flows/$flowId/runs/$runId"
            params={{ flowId: flow.id, runId: run.id }}
            aria-label={t.runs.open(run.eventType)}
          >
            {content}
          </Link>
        )}
        empty={
          <EmptyState
            icon={IconInbox}
            title={known ? t.runs.noMatch : t.runs.emptyTitle}
            text={known ? t.noMatch : flow.status === "ACTIVE" ? t.runs.empty : t.runs.inactive}
          />
        }
      />
    </>
  );
}

export function took(startedAt: string, endedAt: string | null): string {
  return endedAt === null ? t.run.none : t.run.milliseconds(Date.parse(endedAt) - Date.parse(startedAt));
}
