import { providerList } from "@api/providers";
import { type List, matching, useList } from "@api/queries";
import { useCan } from "@api/session";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
import { Monogram } from "@components/Monogram";
import { options } from "@components/options";
import { PageHeader } from "@components/PageHeader";
import { RequireScope } from "@components/RequireScope";
import { StatusBadge, type Tone } from "@components/StatusBadge";
import { integrationStatus } from "@components/statuses";
import { TimeAgo } from "@components/TimeAgo";
import { Toolbar } from "@components/Toolbar";
import { TwoLines } from "@components/TwoLines";
import { Button } from "@mantine/core";
import type { HealthItem, HealthState, Integration } from "@sdk/generated/models";
import { integrations as t } from "@strings/integrations";
import { providers as words } from "@strings/providers";
import { statuses } from "@strings/statuses";
import { IconApps, IconPlus, IconSearchOff } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { CreateIntegration } from "./CreateIntegration";
import classes from "./integrations.module.css";
import { integrationHealth, integrationList } from "./queries";

const route = getRouteApi("/pages/integrations");

type Row = Integration & { health?: HealthItem };

const TONES: Record<HealthState, Tone> = {
  HEALTHY: "success",
  DEGRADED: "warning",
  FAILING: "danger",
  DISABLED: "danger",
  PAUSED: "neutral",
  INACTIVE: "neutral",
  UNKNOWN: "neutral",
};

const COLUMNS: readonly Column<Row>[] = [
  {
    key: "name",
    title: t.columns.name,
    width: "1.4fr",
    render: ({ name, provider, type }) => (
      <span className={classes.named}>
        <Monogram name={name} size="sm" />
        <TwoLines first={name} second={provider ?? words.types[type]} />
      </span>
    ),
  },
  {
    key: "status",
    title: t.columns.status,
    width: "132px",
    render: ({ status }) => <StatusBadge {...integrationStatus(status)} />,
  },
];

const HEALTH: Column<Row> = {
  key: "health",
  title: t.columns.health,
  width: "2.4fr",
  hide: "narrow",
  render: ({ health }) => health && <Health item={health} />,
};

const REST: readonly Column<Row>[] = [
  {
    key: "connections",
    title: t.columns.connections,
    width: "90px",
    align: "end",
    hide: "small",
    render: ({ connectionCount }) => connectionCount.toLocaleString("en"),
  },
  {
    key: "created",
    title: t.columns.created,
    width: "110px",
    align: "end",
    hide: "narrow",
    render: ({ createdAt }) => <TimeAgo at={createdAt} />,
  },
];

export function IntegrationsPage() {
  const seesHealth = useCan("analytics:read");
  return (
    <RequireScope scope="integrations:read" page>
      {seesHealth ? <WithHealth /> : <WithoutHealth />}
    </RequireScope>
  );
}

function WithoutHealth() {
  return <Integrations list={useList(integrationList)} columns={[...COLUMNS, ...REST]} />;
}

function WithHealth() {
  const list = useList(integrationList);
  const health = useList(integrationHealth);
  const items = useMemo(() => {
    const byId = new Map(health.items.map((item) => [item.id, item]));
    return list.items.map((item) => ({ ...item, health: byId.get(item.id) }));
  }, [list.items, health.items]);
  const loadMore = () => {
    list.loadMore();
    health.loadMore();
  };
  return <Integrations list={{ ...list, items, loadMore }} columns={[...COLUMNS, HEALTH, ...REST]} />;
}

function Integrations({ list, columns }: { list: List<Row>; columns: readonly Column<Row>[] }) {
  const { q = "", status = "", create = false } = route.useSearch();
  const navigate = route.useNavigate();
  const queries = useQueryClient();
  const shown = matching(list, { q, status }, ({ name, provider, id }) => [name, provider, id]);
  const setCreating = (value: boolean) =>
    void navigate({ search: (old) => ({ ...old, create: value || undefined }), replace: true });
  const add = (
    <RequireScope scope="integrations:write">
      <Button
        leftSection={<IconPlus size={16} aria-hidden />}
        onMouseEnter={() => void queries.prefetchQuery(providerList)}
        onClick={() => setCreating(true)}
      >
        {t.add}
      </Button>
    </RequireScope>
  );
  const browse = (
    <Button variant="default" renderRoot={(props) => <Link to="/marketplace" {...props} />}>
      {t.browse}
    </Button>
  );
  return (
    <>
      <PageHeader title={t.title} text={t.text}>
        {browse}
        {add}
      </PageHeader>
      <Toolbar
        search={q}
        searchLabel={t.search}
        onSearch={(value) => void navigate({ search: (old) => ({ ...old, q: value || undefined }), replace: true })}
        filters={[
          {
            label: t.status,
            value: status,
            options: options(statuses.integration, t.allStatuses),
            onChange: (value) => void navigate({ search: (old) => ({ ...old, status: value }) }),
          },
        ]}
      />
      <DataList
        label={t.listLabel}
        list={shown}
        columns={columns}
        rowHeight={60}
        primary={({ id }, content) => (
          <Link to="/integrations/$integrationId" params={{ integrationId: id }}>
            {content}
          </Link>
        )}
        empty={
          q !== "" || status !== "" ? (
            <EmptyState icon={IconSearchOff} title={t.noMatchTitle} text={t.noMatch} />
          ) : (
            <EmptyState icon={IconApps} title={t.emptyTitle} text={t.empty}>
              {browse}
            </EmptyState>
          )
        }
      />
      <CreateIntegration opened={create} onClose={() => setCreating(false)} />
    </>
  );
}

/** Shows the state and the first sentence of its reason. The rest, which names an API request, is left out. */
function Health({ item }: { item: HealthItem }) {
  const [why] = item.detail?.split(/(?<=\.) /) ?? [];
  return (
    <span className={classes.health}>
      <StatusBadge tone={TONES[item.state]}>{t.health[item.state]}</StatusBadge>
      {why && (
        <span className={classes.reason} title={why}>
          {why}
        </span>
      )}
    </span>
  );
}
