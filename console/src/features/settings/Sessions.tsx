import { useList } from "@api/queries";
import { useSession } from "@api/session";
import { Confirm } from "@components/Confirm";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
import { Facts, Panel } from "@components/Panel";
import { StatusBadge, type Tone } from "@components/StatusBadge";
import { exactTime, TimeAgo } from "@components/TimeAgo";
import { Button, Drawer, Group, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { PortalSession } from "@sdk/generated/models";
import { settings } from "@strings/settings";
import { IconDoorExit, IconUsers } from "@tabler/icons-react";
import { getRouteApi, Link } from "@tanstack/react-router";
import { sessionList, useEndOwnSession, useEndSession } from "./queries";
import classes from "./SettingsPage.module.css";

const t = settings.sessions;
const route = getRouteApi("/pages/settings");
const TONES: Record<PortalSession["status"], Tone> = {
  OPEN: "info",
  ACTIVE: "success",
  ENDED: "neutral",
  EXPIRED: "neutral",
};

/** The session of this page, and, for users of the platform, all sessions that they may see. */
export function Sessions() {
  const { sessionId } = useSession();
  return (
    <div className={sessionId === null ? undefined : classes.stack}>
      <Own />
      {sessionId === null && <Others />}
    </div>
  );
}

function Own() {
  const { who, sessionId, expiresAt, scopes } = useSession();
  const [isEnding, confirm] = useDisclosure(false);
  const end = useEndOwnSession();
  return (
    <Panel title={t.title}>
      <Facts
        facts={[
          [t.who, who],
          [t.expires, expiresAt === null ? t.userText : exactTime(expiresAt)],
          [t.scopes, <Scopes key="scopes" scopes={[...scopes]} />],
        ]}
      />
      {sessionId !== null && (
        <>
          <Button variant="default" mt="md" leftSection={<IconDoorExit size={16} aria-hidden />} onClick={confirm.open}>
            {t.end}
          </Button>
          <Confirm
            opened={isEnding}
            title={t.endTitle}
            action={t.end}
            isRunning={end.isPending}
            onConfirm={() => end.mutate()}
            onClose={confirm.close}
          >
            {t.endText}
          </Confirm>
        </>
      )}
    </Panel>
  );
}

const COLUMNS: readonly Column<PortalSession>[] = [
  { key: "who", title: t.columns.who, width: "2fr", render: (session) => <Who session={session} /> },
  {
    key: "status",
    title: t.columns.status,
    width: "140px",
    render: ({ status }) => <StatusBadge tone={TONES[status]}>{t.statuses[status]}</StatusBadge>,
  },
  {
    key: "rights",
    title: t.columns.rights,
    hide: "narrow",
    render: ({ readOnly, capabilities }) => (readOnly ? t.readOnly : t.scopesOf(capabilities.length)),
  },
  {
    key: "created",
    title: t.columns.created,
    width: "110px",
    align: "end",
    hide: "narrow",
    render: ({ createdAt }) => <TimeAgo at={createdAt} />,
  },
  {
    key: "expires",
    title: t.columns.expires,
    width: "110px",
    align: "end",
    hide: "small",
    render: ({ endedAt, expiresAt }) => <TimeAgo at={endedAt ?? expiresAt} />,
  },
];

function Others() {
  const { session: openId } = route.useSearch();
  const navigate = route.useNavigate();
  const list = useList(sessionList);
  const open = list.items.find(({ id }) => id === openId) ?? null;
  const close = () => void navigate({ search: { tab: "sessions" } });
  return (
    <section>
      <Text component="h2" fw={600} mt="xl">
        {t.listTitle}
      </Text>
      <p className={classes.text}>{t.listText}</p>
      <DataList
        label={t.label}
        list={list}
        columns={COLUMNS}
        rowHeight={56}
        primary={(session, content) => (
          <Link
            to="/settings"
            search={{ tab: "sessions", session: session.id }}
            aria-label={t.open(session.label ?? session.createdBy)}
          >
            {content}
          </Link>
        )}
        empty={<EmptyState icon={IconUsers} title={t.emptyTitle} text={t.empty} />}
      />
      <Drawer opened={open !== null} onClose={close} title={open && (open.label ?? t.unnamed)}>
        {open && <Detail session={open} onEnded={close} />}
      </Drawer>
    </section>
  );
}

function Who({ session: { label, createdBy } }: { session: PortalSession }) {
  return (
    <>
      <span className={classes.who}>{label ?? t.unnamed}</span>
      <span className={classes.by}>{t.by(createdBy)}</span>
    </>
  );
}

function Detail({ session, onEnded }: { session: PortalSession; onEnded: () => void }) {
  const [isEnding, confirm] = useDisclosure(false);
  const { scopes, id: caller } = useSession();
  const end = useEndSession(session.id, onEnded);
  const isOver = session.status === "ENDED" || session.status === "EXPIRED";
  // Without this scope, the server lets callers end only sessions that they created.
  const mayEnd = session.createdBy === caller || scopes.has("api-keys:write");
  const names = t.detail;
  return (
    <>
      <Group mb="md">
        <StatusBadge tone={TONES[session.status]}>{t.statuses[session.status]}</StatusBadge>
        {session.readOnly && <Text>{t.readOnly}</Text>}
      </Group>
      <Facts
        facts={[
          [names.id, <code key="id">{session.id}</code>],
          [names.madeBy, session.createdBy],
          [t.columns.created, exactTime(session.createdAt)],
          [names.opened, session.openedAt === null ? names.never : exactTime(session.openedAt)],
          [t.columns.expires, exactTime(session.endedAt ?? session.expiresAt)],
          ...(session.view === null ? [] : [[names.view, session.view] as const]),
          [t.scopes, <Scopes key="scopes" scopes={session.capabilities} />],
        ]}
      />
      {!isOver && mayEnd && (
        <Button mt="lg" color="danger" onClick={confirm.open}>
          {t.endOther}
        </Button>
      )}
      <Confirm
        opened={isEnding}
        title={t.endOtherTitle(session.label ?? session.createdBy)}
        action={t.endOther}
        isRunning={end.isPending}
        onConfirm={() => end.mutate()}
        onClose={confirm.close}
      >
        {t.endOtherText}
      </Confirm>
    </>
  );
}

function Scopes({ scopes }: { scopes: readonly string[] }) {
  return (
    <ul className={classes.scopes}>
      {[...scopes].sort().map((scope) => (
        <li key={scope} className={classes.scope}>
          {scope}
        </li>
      ))}
    </ul>
  );
}
