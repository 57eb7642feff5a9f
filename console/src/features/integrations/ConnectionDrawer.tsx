import { useCan } from "@api/session";
import { CodeBlock } from "@components/CodeBlock";
import { Confirm } from "@components/Confirm";
import { CopyableId } from "@components/CopyButton";
import { ErrorPanel } from "@components/ErrorPanel";
import { Log } from "@components/Log";
import { Facts } from "@components/Panel";
import { Section } from "@components/Section";
import { PageSkeleton, RowSkeletons } from "@components/Skeletons";
import { StatusBadge } from "@components/StatusBadge";
import { connectionStatus } from "@components/statuses";
import { TimeAgo } from "@components/TimeAgo";
import { Button, Drawer, Group, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { Connection } from "@sdk/generated/models";
import { connections as t } from "@strings/connections";
import { integrations } from "@strings/integrations";
import { providers as words } from "@strings/providers";
import { IconPlugConnected, IconRefresh, IconUnlink } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ConnectDialog } from "./ConnectDialog";
import type { Opened } from "./ConnectionList";
import { connectionDetail, nameOf, recentActivity, useDisconnect, useRefresh } from "./connections";
import classes from "./integrations.module.css";
import { actorOf } from "./kinds";
import { integrationDetail } from "./queries";

interface Props {
  opened: Opened | null;
  /** The connection, if the list has loaded it. */
  known: Connection | undefined;
  onClose: () => void;
}

/** Shows a connected account: whether it works, its permissions, and its history. */
export function ConnectionDrawer({ opened, known, onClose }: Props) {
  const query = useQuery({
    ...connectionDetail(opened?.integrationId ?? "", opened?.id ?? ""),
    enabled: opened !== null && known === undefined,
  });
  const connection = known ?? query.data;
  return (
    <Drawer
      opened={opened !== null}
      onClose={onClose}
      size={620}
      title={connection ? nameOf(connection) : t.detail.title}
    >
      {connection ? (
        <Content key={connection.id} connection={connection} onGone={onClose} />
      ) : query.error ? (
        <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />
      ) : (
        <PageSkeleton />
      )}
    </Drawer>
  );
}

function Content({ connection, onGone }: { connection: Connection; onGone: () => void }) {
  const { status, authType, lastError, metadata } = connection;
  const isOAuth = authType === "OAUTH2";
  const seesLog = useCan("integrations:read");
  return (
    <>
      <Group gap="xs">
        <StatusBadge {...connectionStatus(status)} />
        <Text c="dimmed" size="sm">
          {t.detail.words[status === "ACTIVE" && !isOAuth ? "ACTIVE_KEY" : status]}
        </Text>
      </Group>
      {lastError && status !== "ACTIVE" && (
        <Section title={t.detail.lastError}>
          <Text size="sm">{t.detail.reasons[lastError.code]}</Text>
          <Text size="sm" c="dimmed" style={{ overflowWrap: "anywhere" }}>
            {lastError.detail} (<TimeAgo at={lastError.at} />)
          </Text>
        </Section>
      )}
      <Actions connection={connection} onGone={onGone} />
      <Facts facts={facts(connection)} />
      {Object.keys(metadata).length > 0 && (
        <Section>
          <h3>{t.detail.facts.metadata}</h3>
          <CodeBlock label={t.detail.facts.metadata} value={metadata} />
        </Section>
      )}
      {seesLog && <RecentActivity connection={connection} />}
    </>
  );
}

function Actions({ connection, onGone }: { connection: Connection; onGone: () => void }) {
  const mayWrite = useCan("connections:write");
  const mayConnect = useCan("connections:write", "integrations:read");
  const [isConnecting, connect] = useDisclosure(false);
  const [isAsking, confirm] = useDisclosure(false);
  const refresh = useRefresh(connection);
  const disconnect = useDisconnect(connection, onGone);
  const integration = useQuery({ ...integrationDetail(connection.integrationId), enabled: isConnecting });
  if (!mayWrite) return <div className={classes.actions} />;
  const { status, authType } = connection;
  const needsOwner = status === "EXPIRED";
  return (
    <div className={classes.actions}>
      {mayConnect && (
        <Button
          size="xs"
          variant={needsOwner ? "filled" : "default"}
          leftSection={<IconPlugConnected size={14} aria-hidden />}
          loading={isConnecting && integration.isPending}
          onClick={connect.open}
        >
          {t.detail.reconnect}
        </Button>
      )}
      {authType === "OAUTH2" && status !== "EXPIRED" && (
        <Button
          size="xs"
          variant="default"
          leftSection={<IconRefresh size={14} aria-hidden />}
          loading={refresh.isPending}
          onClick={() => refresh.mutate()}
        >
          {t.detail.refresh}
        </Button>
      )}
      <Button
        size="xs"
        variant="default"
        color="danger"
        leftSection={<IconUnlink size={14} aria-hidden />}
        onClick={confirm.open}
      >
        {t.detail.disconnect}
      </Button>
      {integration.error && <ErrorPanel error={integration.error} onRetry={() => void integration.refetch()} />}
      <ConnectDialog
        opened={isConnecting && integration.data !== undefined}
        choices={integration.data ? [integration.data] : []}
        again={connection}
        onClose={connect.close}
      />
      <Confirm
        opened={isAsking}
        title={t.detail.disconnectTitle(nameOf(connection))}
        action={t.detail.disconnect}
        isRunning={disconnect.isPending}
        onConfirm={() => disconnect.mutate()}
        onClose={confirm.close}
      >
        {t.detail.disconnectText}
      </Confirm>
    </div>
  );
}

function RecentActivity({ connection }: { connection: Connection }) {
  const { connectionId: name, integrationId } = connection;
  const query = useQuery(recentActivity(integrationId));
  const entries = query.data?.filter(({ detail }) => detail === name || detail?.startsWith(`${name}:`)).slice(0, 10);
  return (
    <Section title={t.detail.activity}>
      {query.error ? (
        <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />
      ) : entries === undefined ? (
        <RowSkeletons rows={3} height={36} />
      ) : entries.length === 0 ? (
        <Text c="dimmed" size="sm" mb="xs">
          {t.detail.noActivity}
        </Text>
      ) : (
        <Log
          entries={entries.map(({ id, action, actor, outcome, detail, createdAt }) => ({
            id,
            what: (
              <>
                {integrations.actions[action] ?? action}{" "}
                {outcome === "FAILED" && <StatusBadge tone="danger">{integrations.activity.failed}</StatusBadge>}
              </>
            ),
            detail: detail === name ? actorOf(actor) : `${actorOf(actor)} · ${detail?.slice(name.length + 1).trim()}`,
            at: createdAt,
          }))}
        />
      )}
      <Link to="/integrations/$integrationId" params={{ integrationId }} search={{ tab: "activity" }}>
        {t.detail.allActivity}
      </Link>
    </Section>
  );
}

function facts(connection: Connection) {
  const names = t.detail.facts;
  const { account, scopes, authType, expiresAt } = connection;
  return [
    [names.id, <CopyableId key="id" id={connection.id} what={names.id} />],
    [names.name, connection.connectionId],
    ...(account.id ? [[names.accountId, account.id] as const] : []),
    [names.auth, words.auth[authType]],
    ...(authType === "OAUTH2"
      ? [
          [names.expires, <TimeAgo key="expires" at={expiresAt} fallback={t.noExpiry} />] as const,
          [names.refreshed, <TimeAgo key="refreshed" at={connection.lastRefreshedAt} />] as const,
          [
            names.scopes,
            scopes.length === 0 ? (
              t.detail.none
            ) : (
              <ul key="scopes" className={classes.scopes}>
                {scopes.map((scope) => (
                  <li key={scope} className={classes.mono}>
                    {scope}
                  </li>
                ))}
              </ul>
            ),
          ] as const,
        ]
      : []),
    [names.created, <TimeAgo key="created" at={connection.createdAt} />],
    [names.createdBy, connection.createdBy],
  ] as const;
}
