import { CodeBlock } from "@components/CodeBlock";
import { Confirm } from "@components/Confirm";
import { CopyButton } from "@components/CopyButton";
import { Loaded } from "@components/Loaded";
import { PageHeader } from "@components/PageHeader";
import { Panel } from "@components/Panel";
import { RequireScope } from "@components/RequireScope";
import { StatusBadge } from "@components/StatusBadge";
import { TimeAgo } from "@components/TimeAgo";
import { Button, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { Event } from "@sdk/generated/models";
import { events as t } from "@strings/events";
import { IconAlertTriangle, IconEraser } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import classes from "./events.module.css";
import { eventDetail, isNew, useEraseData } from "./queries";
import { Way } from "./Way";

const route = getRouteApi("/pages/events/$eventId");

export function EventPage() {
  return (
    <RequireScope scope="events:read" page>
      <Page />
    </RequireScope>
  );
}

function Page() {
  const { eventId } = route.useParams();
  const query = useQuery(eventDetail(eventId));
  return <Loaded query={query}>{(event) => <Content event={event} readAt={query.dataUpdatedAt} />}</Loaded>;
}

function Content({ event, readAt }: { event: Event; readAt: number }) {
  return (
    <>
      <PageHeader
        title={event.type || t.noType}
        status={
          <StatusBadge tone={event.status === "ACCEPTED" ? "success" : "danger"}>
            {t.statuses[event.status]}
          </StatusBadge>
        }
        text={<About event={event} />}
        parent={<Link to="/events">{t.detail.parent}</Link>}
      >
        {event.erasedAt === null && (
          <RequireScope scope="events:publish">
            <Erase id={event.id} />
          </RequireScope>
        )}
      </PageHeader>
      <div className={classes.page}>
        {event.status === "REJECTED" && (
          <div className={classes.rejected} role="note">
            <IconAlertTriangle size={18} aria-hidden />
            <div>
              <strong>{t.detail.rejectedTitle}</strong>
              {event.statusReason && <p>{event.statusReason}</p>}
            </div>
          </div>
        )}
        {event.status === "ACCEPTED" && <Way event={event} isNew={isNew(event, readAt)} />}
        <Panel title={t.detail.payload}>
          <Data event={event} />
        </Panel>
      </div>
    </>
  );
}

function About({ event }: { event: Event }) {
  return (
    <span className={classes.about}>
      <span className={classes.idAndCopy}>
        <code className={classes.id}>{event.id}</code>
        <CopyButton value={event.id} what={t.columns.id} />
      </span>
      <span>
        {t.detail.published} <TimeAgo at={event.timestamp} />
      </span>
      <span>{t.detail.source(t.sources[event.source] ?? event.source)}</span>
    </span>
  );
}

function Data({ event }: { event: Event }) {
  if (event.erasedAt !== null) {
    return (
      <Text c="dimmed">
        {t.detail.erased} <TimeAgo at={event.erasedAt} />
      </Text>
    );
  }
  if (Object.keys(event.data).length === 0) return <Text c="dimmed">{t.detail.noData}</Text>;
  return <CodeBlock label={t.detail.payloadLabel} value={event.data} />;
}

function Erase({ id }: { id: string }) {
  const [isOpen, confirm] = useDisclosure(false);
  const erase = useEraseData(id, confirm.close);
  return (
    <>
      <Button variant="default" leftSection={<IconEraser size={16} aria-hidden />} onClick={confirm.open}>
        {t.detail.erase}
      </Button>
      <Confirm
        opened={isOpen}
        title={t.detail.eraseTitle}
        action={t.detail.erase}
        isRunning={erase.isPending}
        onConfirm={() => erase.mutate()}
        onClose={confirm.close}
      >
        {t.detail.eraseText}
      </Confirm>
    </>
  );
}
