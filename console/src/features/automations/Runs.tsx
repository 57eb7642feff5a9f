import { useList } from "@api/queries";
import { CodeBlock } from "@components/CodeBlock";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
import { options } from "@components/options";
import { Facts } from "@components/Panel";
import { StatusBadge, type Tone } from "@components/StatusBadge";
import { exactTime, TimeAgo } from "@components/TimeAgo";
import { Toolbar } from "@components/Toolbar";
import { Drawer, Stack, Text } from "@mantine/core";
import type { Run } from "@sdk/generated/models";
import { type Platform, automations as t } from "@strings/automations";
import { IconPlayerPlay, IconSearchOff } from "@tabler/icons-react";
import { getRouteApi, Link } from "@tanstack/react-router";
import classes from "./AutomationsPage.module.css";
import { runList } from "./queries";

const route = getRouteApi("/pages/automations");
const TONES: Record<Run["status"], Tone> = { PENDING: "info", SUCCEEDED: "success", FAILED: "danger" };

const COLUMNS: readonly Column<Run>[] = [
  { key: "action", title: t.runs.columns.action, width: "1.4fr", render: ({ action }) => t.runs.action(action) },
  { key: "status", title: t.runs.columns.status, width: "110px", render: (run) => <Status run={run} /> },
  {
    key: "problem",
    title: t.runs.columns.problem,
    width: "1.6fr",
    hide: "narrow",
    render: ({ error }) => error?.detail,
  },
  { key: "by", title: t.runs.columns.by, hide: "narrow", render: ({ createdBy }) => createdBy },
  {
    key: "created",
    title: t.runs.columns.created,
    width: "110px",
    align: "end",
    hide: "small",
    render: ({ createdAt }) => <TimeAgo at={createdAt} />,
  },
];

/** The actions that a platform's automations requested. */
export function Runs({ platform }: { platform: Platform }) {
  const { status, open } = route.useSearch();
  const navigate = route.useNavigate();
  const list = useList(runList(platform, status));
  const name = t.platforms[platform];
  const run = list.items.find(({ id }) => id === open) ?? null;
  return (
    <>
      <Toolbar
        filters={[
          {
            label: t.runs.status,
            value: status,
            options: options(t.runs.statuses, t.runs.allStatuses),
            onChange: (value) => void navigate({ search: { platform, tab: "runs", status: value } }),
          },
        ]}
      />
      <DataList
        label={t.runs.label(name)}
        list={list}
        columns={COLUMNS}
        rowHeight={48}
        primary={({ id, action }, content) => (
          <Link
            to="/automations"
            search={{ platform, tab: "runs", status, open: id }}
            aria-label={t.runs.open(t.runs.action(action))}
          >
            {content}
          </Link>
        )}
        empty={
          <EmptyState
            icon={status ? IconSearchOff : IconPlayerPlay}
            title={status ? t.runs.noMatchTitle : t.runs.emptyTitle(name)}
            text={status ? t.runs.noMatch : t.runs.empty}
          />
        }
      />
      <Drawer
        opened={run !== null}
        onClose={() => void navigate({ search: { platform, tab: "runs", status } })}
        size={640}
        title={run ? t.runs.action(run.action) : t.runs.detail.title}
      >
        {run && <Content run={run} />}
      </Drawer>
    </>
  );
}

function Status({ run: { status } }: { run: Run }) {
  return <StatusBadge tone={TONES[status]}>{t.runs.statuses[status]}</StatusBadge>;
}

function Content({ run }: { run: Run }) {
  const names = t.runs.detail;
  return (
    <Stack gap="lg">
      <div>
        <Status run={run} />
        {run.status === "PENDING" && <Text mt="xs">{t.runs.pending}</Text>}
        {run.error && (
          <Text mt="xs" className={classes.long}>
            {run.error.code === "timed_out" ? t.runs.timedOut : run.error.detail}
          </Text>
        )}
      </div>
      <Facts
        facts={[
          [names.id, <code key="id">{run.id}</code>],
          [names.by, run.createdBy],
          [names.started, exactTime(run.createdAt)],
          run.status === "PENDING" ? [names.until, exactTime(run.expiresAt)] : [names.ended, exactTime(run.updatedAt)],
        ]}
      />
      <section>
        <h3 className={classes.heading}>{names.input}</h3>
        <CodeBlock label={names.input} value={run.input} />
      </section>
      {run.status !== "FAILED" && (
        <section>
          <h3 className={classes.heading}>{names.output}</h3>
          {run.output === null ? (
            <Text c="dimmed">{names.noOutput}</Text>
          ) : (
            <CodeBlock label={names.output} value={run.output} />
          )}
        </section>
      )}
    </Stack>
  );
}
