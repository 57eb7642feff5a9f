import { Confirm } from "@components/Confirm";
import { CopyButton } from "@components/CopyButton";
import { ErrorPanel } from "@components/ErrorPanel";
import { PageHeader } from "@components/PageHeader";
import { Facts, Metrics, Panel } from "@components/Panel";
import { RequireScope } from "@components/RequireScope";
import { PageSkeleton } from "@components/Skeletons";
import { StatusBadge } from "@components/StatusBadge";
import { webhookStatus } from "@components/statuses";
import { TimeAgo } from "@components/TimeAgo";
import { ActionIcon, Button, Group, Menu, Tabs } from "@mantine/core";
import "@mantine/core/styles/Tabs.css";
import { useDisclosure } from "@mantine/hooks";
import type { WebhookDetail } from "@sdk/generated/models";
import { statuses } from "@strings/statuses";
import { webhooks as t } from "@strings/webhooks";
import { IconDots, IconPlayerPause, IconPlayerPlay, IconSend, IconTrash } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Deliveries } from "./Deliveries";
import { SuccessRate } from "./parts";
import { useDeleteWebhook, useSetStatus, useTestWebhook, webhookDetail } from "./queries";

const route = getRouteApi("/pages/webhooks/$webhookId");

export function WebhookPage() {
  const { webhookId } = route.useParams();
  const { tab = "deliveries" } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery(webhookDetail(webhookId));
  if (query.isPending) return <PageSkeleton />;
  if (query.error) return <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />;
  const webhook = query.data;
  return (
    <>
      <PageHeader
        title={webhook.name}
        text={webhook.url ?? t.pull}
        status={<StatusBadge {...webhookStatus(webhook.status)} />}
        parent={<Link to="/webhooks">{t.detail.parent}</Link>}
      >
        <RequireScope scope="webhooks:write">
          <Actions webhook={webhook} />
        </RequireScope>
      </PageHeader>
      <Metrics metrics={metrics(webhook)} />
      <Tabs
        value={tab}
        keepMounted={false}
        onChange={(value) => void navigate({ search: { tab: value === "settings" ? "settings" : undefined } })}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="deliveries">{t.detail.tabs.deliveries}</Tabs.Tab>
          <Tabs.Tab value="settings">{t.detail.tabs.settings}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="deliveries">
          <Deliveries webhookId={webhook.id} />
        </Tabs.Panel>
        <Tabs.Panel value="settings">
          <Panel title={t.detail.settings}>
            <Facts facts={facts(webhook)} />
          </Panel>
        </Tabs.Panel>
      </Tabs>
    </>
  );
}

function Actions({ webhook }: { webhook: WebhookDetail }) {
  const navigate = route.useNavigate();
  const [isDeleting, confirm] = useDisclosure(false);
  const test = useTestWebhook(webhook.id);
  const setStatus = useSetStatus(webhook.id);
  const remove = useDeleteWebhook(webhook, () => void navigate({ to: "/webhooks" }));
  const isActive = webhook.status === "ACTIVE";
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="default" size={36} aria-label={t.detail.menu}>
            <IconDots size={18} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item color="danger" leftSection={<IconTrash size={16} aria-hidden />} onClick={confirm.open}>
            {t.detail.remove}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Button
        variant="default"
        loading={setStatus.isPending}
        leftSection={isActive ? <IconPlayerPause size={16} aria-hidden /> : <IconPlayerPlay size={16} aria-hidden />}
        onClick={() => setStatus.mutate(isActive ? "PAUSED" : "ACTIVE")}
      >
        {isActive ? t.detail.pause : t.detail.resume}
      </Button>
      {webhook.kind === "push" && (
        <Button loading={test.isPending} leftSection={<IconSend size={16} aria-hidden />} onClick={() => test.mutate()}>
          {t.detail.test}
        </Button>
      )}
      <Confirm
        opened={isDeleting}
        title={t.detail.removeTitle(webhook.name)}
        action={t.detail.remove}
        isRunning={remove.isPending}
        onConfirm={() => remove.mutate()}
        onClose={confirm.close}
      >
        {t.detail.removeText}
      </Confirm>
    </>
  );
}

function metrics({ stats }: WebhookDetail) {
  const names = t.detail.metrics;
  const number = (value: number | undefined) => (value ?? 0).toLocaleString("en");
  return [
    [names.successRate, <SuccessRate key="rate" rate={stats?.successRate ?? null} />],
    [names.delivered, number(stats?.delivered)],
    [names.failed, number(stats?.failed)],
    [names.pending, number(stats?.pending)],
    [names.latency, stats?.latencyMs.p50 == null ? t.none : t.detail.milliseconds(stats.latencyMs.p50)],
  ] as const;
}

function facts(webhook: WebhookDetail) {
  const names = t.detail.facts;
  return [
    [
      names.id,
      <Group key="id" gap={4}>
        <code>{webhook.id}</code>
        <CopyButton value={webhook.id} what={names.id} />
      </Group>,
    ],
    [names.url, webhook.url ?? t.pull],
    [names.eventTypes, webhook.eventTypes.includes("*") ? t.allTypes : webhook.eventTypes.join(", ")],
    [names.filters, webhook.filters.length || t.none],
    [names.headers, Object.keys(webhook.headers).join(", ") || t.none],
    [names.rate, t.detail.perSecond(webhook.rateLimitPerSecond)],
    [names.disableAfter, t.detail.failures(webhook.disableAfter)],
    [names.created, <TimeAgo key="created" at={webhook.createdAt} />],
    [names.createdBy, webhook.createdBy],
    ...(webhook.statusReason === null ? [] : [[t.status, statuses.reason(webhook.statusReason)] as const]),
  ] as const;
}
