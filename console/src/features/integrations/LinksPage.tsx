import { type List, useList } from "@api/queries";
import { useCan } from "@api/session";
import { Confirm } from "@components/Confirm";
import { CopyableId } from "@components/CopyButton";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
import { Facts } from "@components/Panel";
import { RequireScope } from "@components/RequireScope";
import { StatusBadge } from "@components/StatusBadge";
import { linkStatus } from "@components/statuses";
import { TimeAgo } from "@components/TimeAgo";
import { TwoLines } from "@components/TwoLines";
import { Button, Drawer, Group, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { ConnectSession, Integration } from "@sdk/generated/models";
import { connections as t } from "@strings/connections";
import { IconLink, IconPlus } from "@tabler/icons-react";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { ConnectionsHeader } from "./ConnectionsHeader";
import { CreateLink } from "./CreateLink";
import { linkList, useRevokeLink } from "./connections";
import classes from "./integrations.module.css";
import { isConnectable } from "./kinds";
import { integrationList } from "./queries";

const route = getRouteApi("/pages/connections/links");

type Names = (ids: readonly string[]) => string[];

export function LinksPage() {
  const seesIntegrations = useCan("integrations:read");
  return (
    <RequireScope scope="connections:read" page>
      {seesIntegrations ? <WithIntegrations /> : <Links integrations={[]} isLoading={false} />}
    </RequireScope>
  );
}

function WithIntegrations() {
  const { items, isPending } = useList(integrationList);
  return <Links integrations={items} isLoading={isPending} />;
}

function Links({ integrations, isLoading }: { integrations: readonly Integration[]; isLoading: boolean }) {
  const { link } = route.useSearch();
  const navigate = route.useNavigate();
  const list: List<ConnectSession> = useList(linkList);
  const [isCreating, dialog] = useDisclosure(false);
  const names = useMemo<Names>(() => {
    const byId = new Map(integrations.map(({ id, name }) => [id, name]));
    return (ids) => ids.map((id) => byId.get(id) ?? (integrations.length > 0 ? t.links.deletedIntegration : id));
  }, [integrations]);
  const choices = integrations.filter(isConnectable);
  const create =
    choices.length > 0 ? (
      <RequireScope scope="connections:write">
        <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={dialog.open}>
          {t.links.create}
        </Button>
      </RequireScope>
    ) : isLoading ? null : (
      <Button variant="default" renderRoot={(props) => <Link to="/marketplace" {...props} />}>
        {t.toMarketplace}
      </Button>
    );
  return (
    <>
      <ConnectionsHeader text={t.links.text}>{create}</ConnectionsHeader>
      <DataList
        label={t.links.listLabel}
        list={list}
        columns={columnsOf(names)}
        rowHeight={60}
        primary={({ id }, content) => (
          <button type="button" onClick={() => void navigate({ search: { link: id } })}>
            {content}
          </button>
        )}
        empty={
          <EmptyState
            icon={IconLink}
            title={t.links.emptyTitle}
            text={choices.length > 0 ? t.links.empty : t.needIntegration}
          >
            {create}
          </EmptyState>
        }
      />
      <LinkDrawer
        link={list.items.find(({ id }) => id === link)}
        names={names}
        onClose={() => void navigate({ search: {} })}
      />
      <CreateLink opened={isCreating} choices={choices} onClose={dialog.close} />
    </>
  );
}

function columnsOf(names: Names): readonly Column<ConnectSession>[] {
  return [
    {
      key: "for",
      title: t.links.columns.for,
      width: "2fr",
      render: (link) => <TwoLines first={titleOf(link)} second={link.requestedBy ?? link.id} />,
    },
    {
      key: "integrations",
      title: t.links.columns.integrations,
      width: "1.6fr",
      hide: "small",
      render: ({ integrations }) => {
        const [first = "", ...others] = names(integrations);
        return (
          <span title={[first, ...others].join(", ")}>
            {others.length === 0 ? first : t.links.more(first, others.length)}
          </span>
        );
      },
    },
    {
      key: "status",
      title: t.links.columns.status,
      width: "110px",
      render: ({ status }) => <StatusBadge {...linkStatus(status)} />,
    },
    {
      key: "expires",
      title: t.links.columns.expires,
      width: "110px",
      align: "end",
      hide: "narrow",
      render: ({ expiresAt }) => <TimeAgo at={expiresAt} />,
    },
    {
      key: "created",
      title: t.links.columns.created,
      width: "110px",
      align: "end",
      hide: "narrow",
      render: ({ createdAt }) => <TimeAgo at={createdAt} />,
    },
  ];
}

/** The display name of a link: the name of its connection, if it has one. */
function titleOf({ id, connectionId, workspaceName }: ConnectSession): string {
  return connectionId === id ? (workspaceName ?? t.links.open) : connectionId;
}

interface DrawerProps {
  link: ConnectSession | undefined;
  names: Names;
  onClose: () => void;
}

function LinkDrawer({ link, names, onClose }: DrawerProps) {
  return (
    <Drawer opened={link !== undefined} onClose={onClose} title={link && titleOf(link)}>
      {link && <Details key={link.id} link={link} names={names} onClose={onClose} />}
    </Drawer>
  );
}

function Details({ link, names, onClose }: { link: ConnectSession; names: Names; onClose: () => void }) {
  const [isAsking, confirm] = useDisclosure(false);
  const revoke = useRevokeLink(onClose);
  return (
    <>
      <Group gap="xs">
        <StatusBadge {...linkStatus(link.status)} />
        <Text c="dimmed" size="sm">
          {t.links.words[link.status]}
        </Text>
      </Group>
      <div className={classes.actions}>
        {link.connection && link.integrationId && (
          <Button
            size="xs"
            variant="default"
            renderRoot={(props) => (
              <Link
                to="/connections"
                search={{ connection: link.connection ?? undefined, of: link.integrationId ?? undefined }}
                {...props}
              />
            )}
          >
            {t.links.seeConnection}
          </Button>
        )}
        {link.status === "OPEN" && (
          <RequireScope scope="connections:write">
            <Button size="xs" variant="default" color="danger" onClick={confirm.open}>
              {t.links.revoke}
            </Button>
          </RequireScope>
        )}
      </div>
      <Facts facts={facts(link, names)} />
      <Confirm
        opened={isAsking}
        title={t.links.revokeTitle}
        action={t.links.revoke}
        isRunning={revoke.isPending}
        onConfirm={() => revoke.mutate(link.id)}
        onClose={confirm.close}
      >
        {t.links.revokeText}
      </Confirm>
    </>
  );
}

function facts(link: ConnectSession, names: Names) {
  const titles = t.links.facts;
  const optional = [
    [titles.requestedBy, link.requestedBy],
    [titles.workspaceName, link.workspaceName],
    [titles.scopes, link.scopes?.join(", ")],
    [titles.returnUrl, link.returnUrl],
  ] as const;
  return [
    [titles.id, <CopyableId key="id" id={link.id} what={titles.id} />],
    [titles.integrations, names(link.integrations).join(", ")],
    [titles.name, link.connectionId],
    ...optional.filter(([, value]) => value),
    [titles.created, <TimeAgo key="created" at={link.createdAt} />],
    [titles.createdBy, link.createdBy],
    [titles.expires, <TimeAgo key="expires" at={link.expiresAt} />],
    ...(link.completedAt ? [[titles.completed, <TimeAgo key="completed" at={link.completedAt} />] as const] : []),
  ] as const;
}
