import { useList } from "@api/queries";
import { useCan } from "@api/session";
import { RequireScope } from "@components/RequireScope";
import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { Integration } from "@sdk/generated/models";
import { connections as t } from "@strings/connections";
import { IconPlugConnected } from "@tabler/icons-react";
import { getRouteApi, Link } from "@tanstack/react-router";
import { ConnectDialog } from "./ConnectDialog";
import { ConnectionList } from "./ConnectionList";
import { ConnectionsHeader } from "./ConnectionsHeader";
import { isConnectable } from "./kinds";
import { integrationList } from "./queries";

const route = getRouteApi("/pages/connections");

export function ConnectionsPage() {
  const seesIntegrations = useCan("integrations:read");
  return (
    <RequireScope scope="connections:read" page>
      {seesIntegrations ? <WithIntegrations /> : <Connections integrations={[]} isLoading={false} />}
    </RequireScope>
  );
}

function WithIntegrations() {
  const { items, isPending } = useList(integrationList);
  return <Connections integrations={items} isLoading={isPending} />;
}

function Connections({ integrations, isLoading }: { integrations: readonly Integration[]; isLoading: boolean }) {
  const { q, status, integration, connection, of } = route.useSearch();
  const navigate = route.useNavigate();
  const [isConnecting, connect] = useDisclosure(false);
  const choices = integrations.filter(isConnectable);
  const action =
    choices.length > 0 ? (
      <RequireScope scope="connections:write">
        <Button leftSection={<IconPlugConnected size={16} aria-hidden />} onClick={connect.open}>
          {t.connect}
        </Button>
      </RequireScope>
    ) : isLoading ? null : (
      <Button variant="default" renderRoot={(props) => <Link to="/marketplace" {...props} />}>
        {t.toMarketplace}
      </Button>
    );
  return (
    <>
      <ConnectionsHeader text={t.text}>{action}</ConnectionsHeader>
      <ConnectionList
        integrations={integrations}
        filters={{ q, status, integration }}
        open={connection === undefined || of === undefined ? null : { id: connection, integrationId: of }}
        onFilter={(changes) => void navigate({ search: (old) => ({ ...old, ...changes }), replace: true })}
        onOpen={(opened) =>
          void navigate({ search: (old) => ({ ...old, connection: opened?.id, of: opened?.integrationId }) })
        }
        offer={action}
      />
      <ConnectDialog opened={isConnecting} choices={choices} onClose={connect.close} />
    </>
  );
}
