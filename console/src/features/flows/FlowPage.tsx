import { useCan } from "@api/session";
import { Confirm } from "@components/Confirm";
import { ErrorPanel } from "@components/ErrorPanel";
import { PageHeader } from "@components/PageHeader";
import { RequireScope } from "@components/RequireScope";
import { PageSkeleton } from "@components/Skeletons";
import { StatusBadge } from "@components/StatusBadge";
import { ActionIcon, Menu, Tabs } from "@mantine/core";
import "@mantine/core/styles/Tabs.css";
import { useDisclosure } from "@mantine/hooks";
import type { Flow } from "@sdk/generated/models";
import { flows as t } from "@strings/flows";
import { IconDots, IconPlayerPause, IconTrash } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { FlowEditor } from "./FlowEditor";
import { draftOf } from "./model/definition";
import { flowDetail, useDeleteFlow, useSetStatus } from "./queries";
import { Runs } from "./Runs";
import { flowStatus } from "./words";

const route = getRouteApi("/pages/flows/$flowId");

export function FlowPage() {
  return (
    <RequireScope scope="flows:read" page>
      <Page />
    </RequireScope>
  );
}

function Page() {
  const { flowId } = route.useParams();
  const { tab } = route.useSearch();
  const query = useQuery(flowDetail(flowId));
  if (query.isPending) return <PageSkeleton />;
  if (query.error) return <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />;
  const flow = query.data;
  if (tab !== "runs") {
    return (
      <FlowEditor
        key={flow.id}
        flow={flow}
        initial={draftOf(flow)}
        tabs={<PageTabs tab="editor" />}
        menu={<More flow={flow} />}
      />
    );
  }
  return (
    <>
      <PageHeader
        title={flow.name}
        text={flow.description}
        status={<StatusBadge {...flowStatus(flow.status)} />}
        parent={<Link to="/flows">{t.detail.parent}</Link>}
      >
        <More flow={flow} />
      </PageHeader>
      <PageTabs tab="runs" />
      <Runs flow={flow} />
    </>
  );
}

function PageTabs({ tab }: { tab: "editor" | "runs" }) {
  const navigate = route.useNavigate();
  return (
    <Tabs
      value={tab}
      mb="md"
      onChange={(value) => void navigate({ search: { tab: value === "runs" ? value : undefined } })}
    >
      <Tabs.List>
        <Tabs.Tab value="editor">{t.detail.tabs.editor}</Tabs.Tab>
        <Tabs.Tab value="runs">{t.detail.tabs.runs}</Tabs.Tab>
      </Tabs.List>
    </Tabs>
  );
}

function More({ flow }: { flow: Flow }) {
  const canWrite = useCan("flows:write");
  const navigate = route.useNavigate();
  const [isDeleting, confirm] = useDisclosure(false);
  const setStatus = useSetStatus(flow.id);
  const remove = useDeleteFlow(flow, () => void navigate({ to: "/flows", ignoreBlocker: true }));
  if (!canWrite) return null;
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="default" size={36} aria-label={t.detail.menu}>
            <IconDots size={18} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {flow.status === "ACTIVE" && (
            <Menu.Item
              leftSection={<IconPlayerPause size={16} aria-hidden />}
              onClick={() => setStatus.mutate("INACTIVE")}
            >
              {t.detail.deactivate}
            </Menu.Item>
          )}
          <Menu.Item color="danger" leftSection={<IconTrash size={16} aria-hidden />} onClick={confirm.open}>
            {t.detail.remove}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Confirm
        opened={isDeleting}
        title={t.detail.removeTitle(flow.name)}
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
