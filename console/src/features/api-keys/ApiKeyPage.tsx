import { useList } from "@api/queries";
import { useSession } from "@api/session";
import { Confirm } from "@components/Confirm";
import { CopyableId } from "@components/CopyButton";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
import { Loaded } from "@components/Loaded";
import { MoreMenu } from "@components/MoreMenu";
import { PageHeader } from "@components/PageHeader";
import { Facts, Metrics, Panel } from "@components/Panel";
import { RequireScope } from "@components/RequireScope";
import { StatusBadge } from "@components/StatusBadge";
import { exactTime, TimeAgo } from "@components/TimeAgo";
import { Button, Menu, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { ApiKey, LogEntry } from "@sdk/generated/models";
import { apiKeys as t } from "@strings/api-keys";
import { IconHistory, IconPencil, IconRotate, IconTrash } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { DailyUse } from "./DailyUse";
import { EditKey } from "./EditKey";
import { expiresSoon, keyStatus, Meter } from "./parts";
import classes from "./parts.module.css";
import { apiKeyDetail, apiKeyLog, useRevokeKey } from "./queries";
import { RotateKey } from "./RotateKey";
import { mayGrant } from "./scopes";

const route = getRouteApi("/pages/api-keys/$keyId");

export function ApiKeyPage() {
  return (
    <RequireScope scope="api-keys:read" page>
      <Page />
    </RequireScope>
  );
}

function Page() {
  const { keyId } = route.useParams();
  const query = useQuery(apiKeyDetail(keyId));
  return <Loaded query={query}>{(key) => <Content apiKey={key} />}</Loaded>;
}

function Content({ apiKey: key }: { apiKey: ApiKey }) {
  const log = useList(apiKeyLog(key.id));
  const successor = successorOf(log.items);
  return (
    <>
      <PageHeader
        title={key.name}
        text={<code>{key.maskedKey}</code>}
        status={<StatusBadge {...keyStatus(key)} />}
        parent={<Link to="/api-keys">{t.detail.parent}</Link>}
      >
        {key.status === "ACTIVE" && (
          <RequireScope scope="api-keys:write">
            <Actions apiKey={key} isRotated={successor !== null} />
          </RequireScope>
        )}
      </PageHeader>
      <Notes apiKey={key} successor={successor} />
      <Metrics metrics={metrics(key)} />
      <div className={classes.columns}>
        <div className={classes.stack}>
          <Panel title={t.detail.use}>
            <DailyUse apiKey={key} />
          </Panel>
          <section>
            <h2 className={classes.heading}>{t.detail.activity}</h2>
            <DataList
              label={t.log.label}
              list={log}
              columns={LOG_COLUMNS}
              rowHeight={44}
              empty={<EmptyState icon={IconHistory} title={t.log.emptyTitle} text={t.log.empty} />}
            />
          </section>
        </div>
        <div className={`${classes.stack} ${classes.narrow}`}>
          <Panel title={t.detail.scopes}>
            <ul className={classes.scopes}>
              {key.scopes.map((scope) => (
                <li key={scope} className={classes.scope}>
                  {scope}
                </li>
              ))}
            </ul>
          </Panel>
          <Panel title={t.detail.settings}>
            <Facts facts={facts(key)} />
          </Panel>
        </div>
      </div>
    </>
  );
}

function Actions({ apiKey, isRotated }: { apiKey: ApiKey; isRotated: boolean }) {
  const session = useSession();
  const [isEditing, edit] = useDisclosure(false);
  const [isRotating, rotation] = useDisclosure(false);
  const [isRevoking, confirm] = useDisclosure(false);
  const revoke = useRevokeKey(apiKey, confirm.close);
  // The server does not let callers change a key that has more permissions than they have.
  if (!apiKey.scopes.every((scope) => mayGrant(scope, session))) return null;
  return (
    <>
      <MoreMenu>
        <Menu.Item color="danger" leftSection={<IconTrash size={16} aria-hidden />} onClick={confirm.open}>
          {t.revoke.action}
        </Menu.Item>
      </MoreMenu>
      <Button variant="default" leftSection={<IconPencil size={16} aria-hidden />} onClick={edit.open}>
        {t.detail.edit}
      </Button>
      {!isRotated && (
        <Button leftSection={<IconRotate size={16} aria-hidden />} onClick={rotation.open}>
          {t.detail.rotate}
        </Button>
      )}
      <EditKey apiKey={apiKey} opened={isEditing} onClose={edit.close} />
      <RotateKey apiKey={apiKey} opened={isRotating} onClose={rotation.close} />
      <Confirm
        opened={isRevoking}
        title={t.revoke.title(apiKey.name)}
        action={t.revoke.action}
        isRunning={revoke.isPending}
        onConfirm={() => revoke.mutate()}
        onClose={confirm.close}
      >
        {t.revoke.text}
        {apiKey.usage.today > 0 && (
          <Text mt="xs" c="var(--pb-text)">
            {t.revoke.used(apiKey.usage.today)}
          </Text>
        )}
      </Confirm>
    </>
  );
}

function Notes({ apiKey, successor }: { apiKey: ApiKey; successor: string | null }) {
  const { status, lastError, expiresAt } = apiKey;
  return (
    <>
      {status !== "ACTIVE" && <p className={classes.note}>{t.detail.ended[status]}</p>}
      {successor !== null ? (
        <p className={classes.note}>
          {t.detail.replacedBy}{" "}
          <Link to="/api-keys/$keyId" params={{ keyId: successor }}>
            {successor}
          </Link>
          {status === "ACTIVE" && expiresAt !== null && `. ${t.detail.replacedUntil(exactTime(expiresAt))}`}
        </p>
      ) : (
        expiresSoon(apiKey) && <p className={`${classes.note} ${classes.warning}`}>{t.detail.soon}</p>
      )}
      {lastError !== null && (
        <p className={`${classes.note} ${classes.warning}`}>
          {t.rotationFailed}: {lastError.detail} (<TimeAgo at={lastError.at} />)
        </p>
      )}
    </>
  );
}

const LOG_COLUMNS: readonly Column<LogEntry>[] = [
  {
    key: "what",
    title: t.log.columns.what,
    width: "2fr",
    render: ({ action, detail }) => (
      <span title={detail ?? undefined}>
        {t.log.actions[action] ?? action}
        {detail && <Text span c="dimmed" size="sm">{` · ${detail}`}</Text>}
      </span>
    ),
  },
  {
    key: "actor",
    title: t.log.columns.actor,
    hide: "small",
    render: ({ actor }) => <span title={actor}>{actor === "patchbay" ? t.log.patchbay : actor}</span>,
  },
  {
    key: "when",
    title: t.log.columns.when,
    width: "100px",
    align: "end",
    render: ({ createdAt }) => <TimeAgo at={createdAt} />,
  },
];

/** The key that replaced this one, according to the log entry of the rotation. */
function successorOf(entries: readonly LogEntry[]): string | null {
  const detail = entries.find(({ action }) => action === "api_key.rotated")?.detail;
  return detail?.match(/\bkey_\w+/)?.[0] ?? null;
}

function metrics(key: ApiKey) {
  const names = t.detail.metrics;
  const month = (key.usage.daily ?? []).reduce((sum, { count }) => sum + count, 0);
  return [
    [names.today, <Meter key="today" used={key.usage.today} limit={key.rateLimitPerDay} />],
    [names.month, month.toLocaleString("en")],
    [names.total, key.usage.total.toLocaleString("en")],
    [names.lastUsed, <TimeAgo key="last" at={key.lastUsedAt} />],
    [names.expires, <TimeAgo key="expires" at={key.expiresAt} />],
  ] as const;
}

function facts(key: ApiKey) {
  const names = t.detail.facts;
  return [
    [names.id, <CopyableId key="id" id={key.id} what={names.id} />],
    [names.limits, t.detail.limits(key.rateLimitPerHour, key.rateLimitPerDay)],
    [names.expires, key.expiresAt === null ? t.never : exactTime(key.expiresAt)],
    [names.rotation, rotationWords(key)],
    [names.nextRotation, <TimeAgo key="next" at={key.nextRotationAt} fallback={t.detail.notDue} />],
    ...(key.rotatedFrom === null
      ? []
      : [
          [
            names.replaces,
            <Link key="from" to="/api-keys/$keyId" params={{ keyId: key.rotatedFrom }}>
              {key.rotatedFrom}
            </Link>,
          ] as const,
        ]),
    [names.created, <TimeAgo key="created" at={key.createdAt} />],
    [names.createdBy, key.createdBy],
  ] as const;
}

function rotationWords({ rotation }: ApiKey): string {
  const words = t.detail.rotation;
  if (rotation === null) return words.workspace;
  if (rotation.everyDays === null) return words.never;
  const { deliverTo } = rotation;
  const target =
    deliverTo === null
      ? words.remind
      : deliverTo.type === "webhook"
        ? words.webhook(deliverTo.webhookId)
        : words.secret(deliverTo.secretArn);
  return `${words.days(rotation.everyDays)}; ${target}`;
}
