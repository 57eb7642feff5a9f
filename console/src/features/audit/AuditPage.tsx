import { useList } from "@api/queries";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
import { options } from "@components/options";
import { PageHeader } from "@components/PageHeader";
import { RequireScope } from "@components/RequireScope";
import { TimeAgo } from "@components/TimeAgo";
import { Button, NativeSelect, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import type { AuditEntry } from "@sdk/generated/models";
import { audit as t } from "@strings/audit";
import { IconHistory, IconSearch, IconSearchOff, IconUser } from "@tabler/icons-react";
import { getRouteApi, Link } from "@tanstack/react-router";
import { type ReactNode, useEffect, useMemo, useState } from "react";
import classes from "./AuditPage.module.css";
import { EntryDrawer } from "./EntryDrawer";
import { Outcome } from "./Outcome";
import { auditList } from "./queries";
import type { AuditSearch } from "./routes";

const route = getRouteApi("/pages/audit");

const COLUMNS: readonly Column<AuditEntry>[] = [
  { key: "what", title: t.columns.what, width: "2.4fr", render: (entry) => <What entry={entry} /> },
  {
    key: "outcome",
    title: t.columns.outcome,
    width: "110px",
    render: (entry) => <Outcome entry={entry} />,
  },
  {
    key: "actor",
    title: t.columns.actor,
    width: "1.2fr",
    hide: "small",
    render: ({ actor, actorLabel }) => <span title={actor}>{t.who(actor, actorLabel)}</span>,
  },
  {
    key: "when",
    title: t.columns.when,
    width: "110px",
    align: "end",
    hide: "small",
    render: ({ createdAt }) => <TimeAgo at={createdAt} />,
  },
];

export function AuditPage() {
  return (
    <RequireScope scope="audit:read" page>
      <Content />
    </RequireScope>
  );
}

function Content() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const { actor, action, target, outcome, period = "7d", entry } = search;
  // The start of the period does not change until a filter changes.
  const list = useList(
    useMemo(() => auditList({ actor, action, target, outcome, period }), [actor, action, target, outcome, period]),
  );
  const isFiltered = Boolean(actor || action || target || outcome);
  const set = (change: AuditSearch) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true });
  const clear = (
    <Button variant="default" onClick={() => void navigate({ search: { period: search.period } })}>
      {t.filters.clear}
    </Button>
  );
  return (
    <>
      <PageHeader title={t.title} text={t.text} />
      <search className={classes.filters} aria-label={t.filters.label}>
        <TextFilter
          label={t.filters.target}
          icon={<IconSearch size={16} aria-hidden />}
          value={target}
          onChange={(value) => set({ target: value })}
        />
        <TextFilter
          label={t.filters.actor}
          icon={<IconUser size={16} aria-hidden />}
          value={actor}
          onChange={(value) => set({ actor: value })}
        />
        <NativeSelect
          aria-label={t.filters.action}
          value={action ?? ""}
          data={[{ value: "", label: t.filters.allActions }, ...ACTIONS]}
          onChange={(event) => set({ action: event.currentTarget.value || undefined })}
        />
        <NativeSelect
          aria-label={t.filters.outcome}
          value={outcome ?? ""}
          data={options(t.outcomes, t.filters.allOutcomes)}
          onChange={(event) => set({ outcome: event.currentTarget.value || undefined })}
        />
        <NativeSelect
          aria-label={t.filters.period}
          value={period}
          data={options(t.filters.periods)}
          onChange={(event) => set({ period: event.currentTarget.value })}
        />
        {isFiltered && clear}
      </search>
      <DataList
        label={t.listLabel}
        list={list}
        columns={COLUMNS}
        rowHeight={56}
        primary={({ id, action, outcome, fields }, content) => (
          <Link to="/audit" search={{ ...search, entry: id }} aria-label={t.open(t.sentence(action, outcome, fields))}>
            {content}
          </Link>
        )}
        empty={
          <EmptyState
            icon={isFiltered ? IconSearchOff : IconHistory}
            title={isFiltered ? t.noMatchTitle : t.emptyTitle}
            text={isFiltered ? t.noMatch : t.empty}
          >
            {isFiltered && clear}
          </EmptyState>
        }
      />
      <EntryDrawer
        entry={list.items.find(({ id }) => id === entry) ?? null}
        onFilter={(change) => void navigate({ search: { period, ...change } })}
        onClose={() => set({ entry: undefined })}
      />
    </>
  );
}

/** The requested action, above its target. */
function What({ entry: { action, outcome, fields, target } }: { entry: AuditEntry }) {
  return (
    <>
      <span className={classes.what}>{t.sentence(action, outcome, fields)}</span>
      <span className={classes.target}>{target ?? ""}</span>
    </>
  );
}

interface TextFilterProps {
  label: string;
  icon: ReactNode;
  value: string | undefined;
  onChange: (value: string | undefined) => void;
}

/** A filter that the server applies. It waits until the user stops typing. */
function TextFilter({ label, icon, value = "", onChange }: TextFilterProps) {
  const [text, setText] = useState(value);
  const apply = useDebouncedCallback((next: string) => onChange(next.trim() || undefined), 400);
  useEffect(() => setText(value), [value]);
  return (
    <TextInput
      className={classes.text}
      type="search"
      aria-label={label}
      placeholder={label}
      maxLength={256}
      leftSection={icon}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value);
        apply(event.currentTarget.value);
      }}
    />
  );
}

/** The actions that have a text, grouped by resource. */
const ACTIONS = [...new Set(t.actions().map(resourceOf))].map((resource) => ({
  group: t.resources[resource] ?? resource,
  items: t
    .actions()
    .filter((action) => resourceOf(action) === resource)
    .map((value) => ({ value, label: t.what(value) })),
}));

function resourceOf(action: string): string {
  return action.slice(0, action.indexOf("."));
}
