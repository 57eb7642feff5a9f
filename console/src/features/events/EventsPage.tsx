import { type List, useList } from "@api/queries";
import { useCan } from "@api/session";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
import { options } from "@components/options";
import { PageHeader } from "@components/PageHeader";
import { RequireScope } from "@components/RequireScope";
import { StatusBadge } from "@components/StatusBadge";
import { TimeAgo } from "@components/TimeAgo";
import { Toolbar } from "@components/Toolbar";
import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { EventSummary } from "@sdk/generated/models";
import { events as t } from "@strings/events";
import { IconBolt, IconSearchOff, IconSend } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useMemo } from "react";
import classes from "./events.module.css";
import { NewEvents } from "./NewEvents";
import { PublishEvent } from "./PublishEvent";
import { eventList, eventTypes, type Filters, TIMES } from "./queries";

const route = getRouteApi("/pages/events");

const COLUMNS: readonly Column<EventSummary>[] = [
  { key: "type", title: t.columns.type, width: "2fr", render: (event) => <Type event={event} /> },
  {
    key: "id",
    title: t.columns.id,
    width: "1.4fr",
    hide: "narrow",
    render: ({ id }) => <code className={classes.id}>{id}</code>,
  },
  {
    key: "source",
    title: t.columns.source,
    width: "110px",
    hide: "small",
    render: ({ source }) => t.sources[source] ?? source,
  },
  {
    key: "time",
    title: t.columns.time,
    width: "100px",
    align: "end",
    render: ({ timestamp }) => <TimeAgo at={timestamp} />,
  },
];

/** The event's type. Nearly all events are accepted, so only other statuses are shown. */
function Type({ event: { type, status } }: { event: EventSummary }) {
  return (
    <span className={classes.type}>
      <span className={classes.typeName}>{type || t.noType}</span>
      {status !== "ACCEPTED" && <StatusBadge tone="danger">{t.statuses[status]}</StatusBadge>}
    </span>
  );
}

export function EventsPage() {
  return (
    <RequireScope scope="events:read" page>
      <Events />
    </RequireScope>
  );
}

function Events() {
  const filters = route.useSearch();
  const navigate = route.useNavigate();
  const list = useList(eventList(filters));
  const types = useTypes(list, filters.type);
  const [isPublishing, dialog] = useDisclosure(false);
  const isFiltered = Object.values(filters).some(Boolean);
  const change = (changed: Filters) => void navigate({ search: { ...filters, ...changed }, replace: true });
  const publish = (
    <RequireScope scope={["events:publish", "webhooks:read"]}>
      <Button leftSection={<IconSend size={16} aria-hidden />} onClick={dialog.open}>
        {t.publish.action}
      </Button>
    </RequireScope>
  );
  return (
    <>
      <PageHeader title={t.title} text={t.text}>
        {publish}
      </PageHeader>
      <Toolbar
        filters={[
          {
            label: t.filters.type,
            value: filters.type,
            options: [{ value: "", label: t.filters.allTypes }, ...types.map((type) => ({ value: type, label: type }))],
            onChange: (value) => change({ type: value }),
          },
          {
            label: t.filters.time,
            value: filters.time,
            options: [
              { value: "", label: t.filters.anyTime },
              ...TIMES.map((value) => ({ value, label: t.filters.times[value] })),
            ],
            onChange: (value) => change({ time: value as Filters["time"] }),
          },
          {
            label: t.filters.source,
            value: filters.source,
            options: options(t.sources, t.filters.allSources),
            onChange: (value) => change({ source: value as Filters["source"] }),
          },
          {
            label: t.filters.status,
            value: filters.status,
            options: options(t.statuses, t.filters.allStatuses),
            onChange: (value) => change({ status: value as Filters["status"] }),
          },
        ]}
      />
      <div className={classes.stream}>
        <NewEvents filters={filters} list={list} />
        <DataList
          label={t.listLabel}
          list={list}
          columns={COLUMNS}
          rowHeight={44}
          primary={({ id, type }, content) => (
            <Link to="/events/$eventId" params={{ eventId: id }} aria-label={t.open(type || t.noType)}>
              {content}
            </Link>
          )}
          empty={
            isFiltered ? (
              <EmptyState icon={IconSearchOff} title={t.noMatchTitle} text={t.noMatch} />
            ) : (
              <EmptyState icon={IconBolt} title={t.emptyTitle} text={t.empty}>
                {publish}
              </EmptyState>
            )
          }
        />
      </div>
      <PublishEvent opened={isPublishing} onClose={dialog.close} />
    </>
  );
}

/** The event types to choose from: the catalogue's, or the list's if the user may not read the catalogue. */
function useTypes(list: List<EventSummary>, chosen: string | undefined): string[] {
  const catalogue = useQuery({ ...eventTypes, enabled: useCan("webhooks:read") });
  return useMemo(() => {
    const known = catalogue.data?.map(({ type }) => type) ?? list.items.map(({ type }) => type);
    return [...new Set([...known, chosen ?? ""])].filter(Boolean).toSorted();
  }, [catalogue.data, list.items, chosen]);
}
