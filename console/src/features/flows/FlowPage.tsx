import { useCan } from "@api/session";
import { Confirm } from "@components/Confirm";
import { Loaded } from "@components/Loaded";
import { MoreMenu } from "@components/MoreMenu";
import { PageHeader } from "@components/PageHeader";
import { RequireScope } from "@components/RequireScope";
import { StatusBadge } from "@components/StatusBadge";
import { Menu, Tabs } from "@mantine/core";
import "@mantine/core/styles/Tabs.css";
import { useDisclosure } from "@mantine/hooks";
import type { Flow } from "@sdk/generated/models";
import { flows as t } from "@strings/flows";
import { IconPlayerPause, IconTrash } from "@tabler/icons-react";
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
  const query = useQuery(flowDetail(flowId));
  return <Loaded query={query}>{(flow) => <Content flow={flow} />}</Loaded>;
}

function Content({ flow }: { flow: Flow }) {
  const { tab } = route.useSearch();
  if (tab !== "runs") {
    return (
      <FlowEditor
        key={flow.id}
        flow={flow}
        initial={draftOf(flow)}
        tabs={<ViewTabs tab="editor" />}
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
      <ViewTabs tab="runs" />
      <Runs flow={flow} />
    </>
  );
}

function ViewTabs({ tab }: { tab: "editor" | "runs" }) {
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
      <MoreMenu>
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
      </MoreMenu>
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
