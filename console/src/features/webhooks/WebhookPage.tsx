import { useCan } from "@api/session";
import { Confirm } from "@components/Confirm";
import { Loaded } from "@components/Loaded";
import { MoreMenu } from "@components/MoreMenu";
import { PageHeader } from "@components/PageHeader";
import { PageTabs } from "@components/PageTabs";
import { Metrics } from "@components/Panel";
import { RequireScope } from "@components/RequireScope";
import { StatusBadge } from "@components/StatusBadge";
import { webhookStatus } from "@components/statuses";
import { Button, Menu } from "@mantine/core";
import type { WebhookDetail } from "@sdk/generated/models";
import { sending } from "@strings/sending";
import { webhooks as t } from "@strings/webhooks";
import { IconHistory, IconKey, IconPlayerPause, IconPlayerStop, IconSend, IconTrash } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { Activity } from "./Activity";
import { Deliveries } from "./Deliveries";
import { Feed } from "./Feed";
import { SuccessRate } from "./parts";
import { useDeleteWebhook, webhookDetail } from "./queries";
import { Replays } from "./Replays";
import { RotateSecret } from "./RotateSecret";
import type { WebhookTab } from "./routes";
import { SendAgain } from "./SendAgain";
import { SetStatus } from "./SetStatus";
import { Settings } from "./Settings";
import { StateBanner } from "./StateBanner";
import { TestDrawer } from "./TestDrawer";

const route = getRouteApi("/pages/webhooks/$webhookId");

export function WebhookPage() {
  return (
    <RequireScope scope="webhooks:read" page>
      <Page />
    </RequireScope>
  );
}

function Page() {
  const { webhookId } = route.useParams();
  const query = useQuery(webhookDetail(webhookId));
  return <Loaded query={query}>{(webhook) => <Content webhook={webhook} />}</Loaded>;
}

type Dialog = "test" | "again" | "missed" | "rotate" | "PAUSED" | "INACTIVE" | "delete";

function Content({ webhook }: { webhook: WebhookDetail }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const canWrite = useCan("webhooks:write");
  const [dialog, setDialog] = useState<Dialog | null>(null);
  const isPush = webhook.kind === "push";
  const panels: Partial<Record<WebhookTab, ReactNode>> = {
    ...(isPush
      ? {
          deliveries: <Deliveries webhook={webhook} action={canWrite && <TestButton onOpen={setDialog} />} />,
          replays: (
            <Replays
              webhook={webhook}
              action={
                canWrite && (
                  <Button leftSection={<IconHistory size={16} aria-hidden />} onClick={() => setDialog("again")}>
                    {sending.again.title}
                  </Button>
                )
              }
            />
          ),
        }
      : { feed: <Feed webhook={webhook} /> }),
    settings: <Settings webhook={webhook} />,
    activity: <Activity webhookId={webhook.id} />,
  };
  const tab = search.tab && search.tab in panels ? search.tab : isPush ? "deliveries" : "feed";
  const close = () => setDialog(null);
  return (
    <>
      <PageHeader
        title={webhook.name}
        text={webhook.url ?? t.pull}
        status={<StatusBadge {...webhookStatus(webhook.status)} />}
        parent={<Link to="/webhooks">{t.detail.parent}</Link>}
      >
        <RequireScope scope="webhooks:write">
          <Actions webhook={webhook} onOpen={setDialog} />
        </RequireScope>
      </PageHeader>
      <StateBanner
        webhook={webhook}
        onTest={() => setDialog("test")}
        onActivated={isPush ? () => setDialog("missed") : undefined}
      />
      {isPush && <Metrics metrics={metrics(webhook)} />}
      <PageTabs
        value={tab}
        labels={t.detail.tabs}
        panels={panels}
        onChange={(value) => void navigate({ search: { tab: value } })}
      />
      <RequireScope scope="webhooks:write">
        <TestDrawer webhook={webhook} opened={dialog === "test"} onClose={close} />
        <SendAgain
          webhook={webhook}
          preset={dialog === "missed" ? "missed" : "failed"}
          opened={dialog === "again" || dialog === "missed"}
          onStarted={() => {
            close();
            void navigate({ search: { tab: "replays" } });
          }}
          onClose={close}
        />
        <RotateSecret webhook={webhook} opened={dialog === "rotate"} onClose={close} />
        <SetStatus
          webhook={webhook}
          status={dialog === "PAUSED" || dialog === "INACTIVE" ? dialog : null}
          onClose={close}
        />
        <Delete webhook={webhook} opened={dialog === "delete"} onClose={close} />
      </RequireScope>
    </>
  );
}

interface ActionProps {
  webhook: WebhookDetail;
  onOpen: (dialog: Dialog) => void;
}

/** Actions that are possible in any state. The banner has those for a specific state. */
function Actions({ webhook, onOpen }: ActionProps) {
  const isPush = webhook.kind === "push";
  const { status } = webhook;
  return (
    <>
      <MoreMenu>
        {isPush && (
          <Menu.Item leftSection={<IconHistory size={16} aria-hidden />} onClick={() => onOpen("again")}>
            {sending.again.title}
          </Menu.Item>
        )}
        <Menu.Item leftSection={<IconKey size={16} aria-hidden />} onClick={() => onOpen("rotate")}>
          {sending.rotate.menu}
        </Menu.Item>
        {status !== "INACTIVE" && status !== "DISABLED" && (
          <Menu.Item leftSection={<IconPlayerStop size={16} aria-hidden />} onClick={() => onOpen("INACTIVE")}>
            {t.detail.deactivate}
          </Menu.Item>
        )}
        <Menu.Divider />
        <Menu.Item color="danger" leftSection={<IconTrash size={16} aria-hidden />} onClick={() => onOpen("delete")}>
          {t.detail.remove}
        </Menu.Item>
      </MoreMenu>
      {isPush && status === "ACTIVE" && (
        <Button
          variant="default"
          leftSection={<IconPlayerPause size={16} aria-hidden />}
          onClick={() => onOpen("PAUSED")}
        >
          {t.detail.pause}
        </Button>
      )}
      {isPush && <TestButton onOpen={onOpen} />}
    </>
  );
}

function TestButton({ onOpen }: Pick<ActionProps, "onOpen">) {
  return (
    <Button leftSection={<IconSend size={16} aria-hidden />} onClick={() => onOpen("test")}>
      {t.detail.test}
    </Button>
  );
}

function Delete({ webhook, opened, onClose }: { webhook: WebhookDetail; opened: boolean; onClose: () => void }) {
  const navigate = route.useNavigate();
  const remove = useDeleteWebhook(webhook, () => void navigate({ to: "/webhooks" }));
  return (
    <Confirm
      opened={opened}
      title={t.detail.removeTitle(webhook.name)}
      action={t.detail.remove}
      isRunning={remove.isPending}
      onConfirm={() => remove.mutate()}
      onClose={onClose}
    >
      {t.detail.removeText}
    </Confirm>
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
