import { matching, useList } from "@api/queries";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
import { options } from "@components/options";
import { PageHeader } from "@components/PageHeader";
import { RequireScope } from "@components/RequireScope";
import { StatusBadge } from "@components/StatusBadge";
import { TimeAgo } from "@components/TimeAgo";
import { Toolbar } from "@components/Toolbar";
import { Button } from "@mantine/core";
import type { Flow } from "@sdk/generated/models";
import { flows as t } from "@strings/flows";
import { IconGitBranch, IconPlus, IconSearchOff } from "@tabler/icons-react";
import { getRouteApi, Link } from "@tanstack/react-router";
import classes from "./flows.module.css";
import { flowList } from "./queries";
import { flowStatus, runStatus } from "./words";

const route = getRouteApi("/pages/flows");

const COLUMNS: readonly Column<Flow>[] = [
  {
    key: "name",
    title: t.columns.name,
    width: "2.2fr",
    render: ({ name, description }) => (
      <>
        <span className={classes.name}>{name}</span>
        {description && <span className={classes.about}>{description}</span>}
      </>
    ),
  },
  {
    key: "status",
    title: t.columns.status,
    width: "110px",
    render: ({ status }) => <StatusBadge {...flowStatus(status)} />,
  },
  {
    key: "trigger",
    title: t.columns.trigger,
    width: "1.4fr",
    hide: "narrow",
    render: ({ trigger }) => <span className={classes.cut}>{startsWith(trigger.eventTypes)}</span>,
  },
  {
    key: "last",
    title: t.columns.last,
    width: "236px",
    hide: "small",
    render: ({ recentRuns }) => <LastRun runs={recentRuns} />,
  },
  {
    key: "failed",
    title: t.columns.failed,
    width: "130px",
    align: "end",
    hide: "narrow",
    render: ({ recentRuns }) => (recentRuns?.count ? t.failedOf(recentRuns.failed, recentRuns.count) : null),
  },
];

function LastRun({ runs }: { runs: Flow["recentRuns"] }) {
  const last = runs?.last ?? null;
  if (last === null) return <span className={classes.never}>{t.neverRan}</span>;
  return (
    <span className={classes.lastRun}>
      <StatusBadge {...runStatus(last.status)} />
      <TimeAgo at={last.startedAt} />
    </span>
  );
}

export function FlowsPage() {
  const { q = "", status = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const list = useList(flowList);
  const shown = matching(list, { q, status }, ({ name, description, id }) => [name, description, id]);
  const add = (
    <RequireScope scope="flows:write">
      <Button
        leftSection={<IconPlus size={16} aria-hidden />}
        renderRoot={(props: object) => <Link to="/flows/new" {...props} />}
      >
        {t.add}
      </Button>
    </RequireScope>
  );
  return (
    <RequireScope scope="flows:read" page>
      <PageHeader title={t.title} text={t.text}>
        {add}
      </PageHeader>
      <Toolbar
        search={q}
        searchLabel={t.search}
        onSearch={(value) => void navigate({ search: (old) => ({ ...old, q: value || undefined }), replace: true })}
        filters={[
          {
            label: t.status,
            value: status,
            options: options(t.statuses, t.allStatuses),
            onChange: (value) => void navigate({ search: (old) => ({ ...old, status: value }) }),
          },
        ]}
      />
      <DataList
        label={t.listLabel}
        list={shown}
        columns={COLUMNS}
        rowHeight={60}
        primary={(flow, content) => (
          <Link to="/flows/$flowId" params={{ flowId: flow.id }}>
            {content}
          </Link>
        )}
        empty={
          q !== "" || status !== "" ? (
            <EmptyState icon={IconSearchOff} title={t.noMatchTitle} text={t.noMatch} />
          ) : (
            <EmptyState icon={IconGitBranch} title={t.emptyTitle} text={t.empty}>
              {add}
            </EmptyState>
          )
        }
      />
    </RequireScope>
  );
}

function startsWith(eventTypes: readonly string[]): string {
  const [first = "", ...more] = eventTypes;
  if (eventTypes.includes("*")) return t.allTypes;
  return more.length === 0 ? first : t.moreTypes(first, more.length);
}
