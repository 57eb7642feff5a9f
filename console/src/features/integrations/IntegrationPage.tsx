import { Confirm } from "@components/Confirm";
import { Loaded } from "@components/Loaded";
import { MoreMenu } from "@components/MoreMenu";
import { PageHeader } from "@components/PageHeader";
import { PageTabs } from "@components/PageTabs";
import { RequireScope } from "@components/RequireScope";
import { StatusBadge } from "@components/StatusBadge";
import { integrationStatus } from "@components/statuses";
import { Button, Menu } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { Integration } from "@sdk/generated/models";
import { integrations as t } from "@strings/integrations";
import { providers as words } from "@strings/providers";
import { statuses } from "@strings/statuses";
import { IconPlayerPause, IconPlayerPlay, IconPlugConnected, IconTrash } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Activity } from "./Activity";
import { Configuration } from "./Configuration";
import { ConnectDialog } from "./ConnectDialog";
import { ConnectionList } from "./ConnectionList";
import classes from "./integrations.module.css";
import { isPlan } from "./kinds";
import { integrationDetail, useDeleteIntegration, useSetIntegrationStatus } from "./queries";

const route = getRouteApi("/pages/integrations/$integrationId");

export function IntegrationPage() {
  return (
    <RequireScope scope="integrations:read" page>
      <Page />
    </RequireScope>
  );
}

function Page() {
  const { integrationId } = route.useParams();
  const query = useQuery(integrationDetail(integrationId));
  return <Loaded query={query}>{(integration) => <Content key={integration.id} integration={integration} />}</Loaded>;
}

function Content({ integration }: { integration: Integration }) {
  const { tab, q, status, connection } = route.useSearch();
  const navigate = route.useNavigate();
  const needsSetup = integration.status === "PENDING_SETUP";
  const shown = tab ?? (needsSetup || isPlan(integration) ? "configuration" : "connections");
  return (
    <>
      <PageHeader
        title={integration.name}
        text={[integration.provider, words.types[integration.type]].filter(Boolean).join(" · ")}
        status={<StatusBadge {...integrationStatus(integration.status)} />}
        parent={<Link to="/integrations">{t.detail.parent}</Link>}
      >
        <Actions integration={integration} />
      </PageHeader>
      <Reason integration={integration} />
      <PageTabs
        value={shown}
        labels={t.detail.tabs}
        panels={{
          ...(!isPlan(integration) && {
            connections: (
              <RequireScope scope="connections:read" page>
                <ConnectionList
                  integration={integration}
                  filters={{ q, status }}
                  open={connection === undefined ? null : { id: connection, integrationId: integration.id }}
                  onFilter={(changes) => void navigate({ search: (old) => ({ ...old, ...changes }), replace: true })}
                  onOpen={(opened) => void navigate({ search: (old) => ({ ...old, connection: opened?.id }) })}
                />
              </RequireScope>
            ),
          }),
          configuration: <Configuration integration={integration} />,
          activity: <Activity integrationId={integration.id} />,
        }}
        onChange={(value) => void navigate({ search: { tab: value } })}
      />
    </>
  );
}

/** Explains why the integration is not active. The owner's text is shown as plain text. */
function Reason({ integration: { status, statusReason } }: { integration: Integration }) {
  if (statusReason === null || status === "ACTIVE") return null;
  const missing = /^missing_config: (.*)$/.exec(statusReason)?.[1];
  return (
    <p className={classes.callout} role="note">
      {missing ? t.detail.missing(missing) : statuses.reason(statusReason)}
    </p>
  );
}

function Actions({ integration }: { integration: Integration }) {
  const navigate = route.useNavigate();
  const [isDeleting, confirm] = useDisclosure(false);
  const [isConnecting, connect] = useDisclosure(false);
  const setStatus = useSetIntegrationStatus(integration);
  const remove = useDeleteIntegration(integration, () => void navigate({ to: "/integrations" }));
  const isActive = integration.status === "ACTIVE";
  return (
    <>
      <RequireScope scope="integrations:write">
        <MoreMenu>
          {(isActive || integration.status === "INACTIVE") && (
            <Menu.Item
              leftSection={
                isActive ? <IconPlayerPause size={16} aria-hidden /> : <IconPlayerPlay size={16} aria-hidden />
              }
              onClick={() => setStatus.mutate(isActive ? "INACTIVE" : "ACTIVE")}
            >
              {isActive ? t.detail.pause : t.detail.resume}
            </Menu.Item>
          )}
          <Menu.Item color="danger" leftSection={<IconTrash size={16} aria-hidden />} onClick={confirm.open}>
            {t.detail.remove}
          </Menu.Item>
        </MoreMenu>
      </RequireScope>
      {isActive && !isPlan(integration) && (
        <RequireScope scope="connections:write">
          <Button leftSection={<IconPlugConnected size={16} aria-hidden />} onClick={connect.open}>
            {t.detail.connect}
          </Button>
        </RequireScope>
      )}
      <Confirm
        opened={isDeleting}
        title={t.detail.removeTitle(integration.name)}
        action={t.detail.remove}
        isRunning={remove.isPending}
        onConfirm={() => remove.mutate()}
        onClose={confirm.close}
      >
        {t.detail.removeText(integration.connectionCount)}
      </Confirm>
      <ConnectDialog opened={isConnecting} choices={[integration]} onClose={connect.close} />
    </>
  );
}
