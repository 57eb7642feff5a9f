import { useList } from "@api/queries";
import { useCan, useSession } from "@api/session";
import { Confirm } from "@components/Confirm";
import { CopyableId } from "@components/CopyButton";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
import { Facts } from "@components/Panel";
import { StatusBadge } from "@components/StatusBadge";
import { webhookStatus } from "@components/statuses";
import { exactTime, TimeAgo } from "@components/TimeAgo";
import { Button, Drawer, Group } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { Hook } from "@sdk/generated/models";
import { type Platform, automations as t } from "@strings/automations";
import { IconTrash, IconWebhook } from "@tabler/icons-react";
import { getRouteApi, Link } from "@tanstack/react-router";
import { filterWords } from "./plan";
import { hookList, useRemoveHook } from "./queries";

const route = getRouteApi("/pages/automations");

const COLUMNS: readonly Column<Hook>[] = [
  { key: "event", title: t.hooks.columns.event, width: "1.4fr", render: ({ eventType }) => eventType },
  { key: "url", title: t.hooks.columns.url, width: "2fr", hide: "narrow", render: ({ url }) => url },
  {
    key: "status",
    title: t.hooks.columns.status,
    width: "110px",
    render: ({ status }) => <StatusBadge {...webhookStatus(status)} />,
  },
  {
    key: "created",
    title: t.hooks.columns.created,
    width: "110px",
    align: "end",
    hide: "small",
    render: ({ createdAt }) => <TimeAgo at={createdAt} />,
  },
];

/** The hooks of a platform: what its automations listen to. */
export function Hooks({ platform }: { platform: Platform }) {
  const { open } = route.useSearch();
  const navigate = route.useNavigate();
  const list = useList(hookList(platform));
  const name = t.platforms[platform];
  const close = () => void navigate({ search: { platform, tab: "hooks" } });
  const hook = list.items.find(({ id }) => id === open) ?? null;
  return (
    <>
      <DataList
        label={t.hooks.label(name)}
        list={list}
        columns={COLUMNS}
        primary={({ id, eventType }, content) => (
          <Link to="/automations" search={{ platform, tab: "hooks", open: id }} aria-label={t.hooks.open(eventType)}>
            {content}
          </Link>
        )}
        empty={<EmptyState icon={IconWebhook} title={t.hooks.emptyTitle(name)} text={t.hooks.empty} />}
      />
      <Drawer opened={hook !== null} onClose={close} title={hook?.eventType}>
        {hook && <Content hook={hook} onRemoved={close} />}
      </Drawer>
    </>
  );
}

function Content({ hook, onRemoved }: { hook: Hook; onRemoved: () => void }) {
  const { readOnly } = useSession();
  const canReadWebhooks = useCan("webhooks:read");
  const [isRemoving, confirm] = useDisclosure(false);
  const remove = useRemoveHook(hook, onRemoved);
  const names = t.hooks.detail;
  return (
    <>
      <Group mb="md">
        <StatusBadge {...webhookStatus(hook.status)} />
      </Group>
      <Facts
        facts={[
          [names.id, <CopyableId key="id" id={hook.id} what={names.id} />],
          [names.event, hook.eventType],
          [names.filters, hook.filters.length === 0 ? names.none : hook.filters.map(filterWords).join("; ")],
          [names.url, hook.url],
          [names.created, exactTime(hook.createdAt)],
        ]}
      />
      <Group mt="lg" gap="xs">
        {canReadWebhooks && (
          <Button
            variant="default"
            renderRoot={(props) => <Link to="/webhooks/$webhookId" params={{ webhookId: hook.id }} {...props} />}
          >
            {names.deliveries}
          </Button>
        )}
        {!readOnly && (
          <Button
            variant="default"
            c="var(--pb-danger)"
            leftSection={<IconTrash size={16} aria-hidden />}
            onClick={confirm.open}
          >
            {t.hooks.remove}
          </Button>
        )}
      </Group>
      <Confirm
        opened={isRemoving}
        title={t.hooks.removeTitle}
        action={t.hooks.remove}
        isRunning={remove.isPending}
        onConfirm={() => remove.mutate()}
        onClose={confirm.close}
      >
        {t.hooks.removeText(t.platforms[hook.platform as Platform] ?? hook.platform)}
      </Confirm>
    </>
  );
}
