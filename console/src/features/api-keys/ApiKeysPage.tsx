import { matching, useList } from "@api/queries";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
import { options } from "@components/options";
import { PageHeader } from "@components/PageHeader";
import { RequireScope } from "@components/RequireScope";
import { StatusBadge } from "@components/StatusBadge";
import { TimeAgo } from "@components/TimeAgo";
import { Toolbar } from "@components/Toolbar";
import { Button } from "@mantine/core";
import type { ApiKey } from "@sdk/generated/models";
import { apiKeys as t } from "@strings/api-keys";
import { IconKey, IconPlus, IconSearchOff } from "@tabler/icons-react";
import { getRouteApi, Link } from "@tanstack/react-router";
import { CreateKey } from "./CreateKey";
import { accessOf, KeyName, keyStatus, Meter } from "./parts";
import { apiKeyList } from "./queries";

const route = getRouteApi("/pages/api-keys");

const COLUMNS: readonly Column<ApiKey>[] = [
  { key: "name", title: t.columns.name, width: "1.7fr", render: (key) => <KeyName apiKey={key} /> },
  {
    key: "status",
    title: t.columns.status,
    width: "128px",
    render: (key) => <StatusBadge {...keyStatus(key)} />,
  },
  { key: "access", title: t.columns.access, width: "1.4fr", hide: "narrow", render: accessOf },
  {
    key: "today",
    title: t.columns.today,
    width: "160px",
    hide: "small",
    render: ({ status, usage, rateLimitPerDay }) =>
      status === "ACTIVE" && <Meter used={usage.today} limit={rateLimitPerDay} />,
  },
  {
    key: "lastUsed",
    title: t.columns.lastUsed,
    width: "110px",
    align: "end",
    hide: "narrow",
    render: ({ lastUsedAt }) => <TimeAgo at={lastUsedAt} />,
  },
  {
    key: "expires",
    title: t.columns.expires,
    width: "100px",
    align: "end",
    hide: "narrow",
    render: ({ status, expiresAt }) => status !== "REVOKED" && <TimeAgo at={expiresAt} />,
  },
];

export function ApiKeysPage() {
  return (
    <RequireScope scope="api-keys:read" page>
      <Content />
    </RequireScope>
  );
}

function Content() {
  const { q = "", status = "", create } = route.useSearch();
  const navigate = route.useNavigate();
  const list = useList(apiKeyList);
  const shown = matching(list, { q, status }, ({ name, id, maskedKey, scopes }) => [name, id, maskedKey, ...scopes]);
  const isFiltered = q !== "" || status !== "";
  const setCreate = (value: string | undefined) => void navigate({ search: (old) => ({ ...old, create: value }) });
  const add = (
    <RequireScope scope="api-keys:write">
      <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setCreate("new")}>
        {t.create}
      </Button>
    </RequireScope>
  );
  return (
    <>
      <PageHeader title={t.title} text={t.text}>
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
            options: options(t.statuses, t.allStatuses),
            onChange: (value) => void navigate({ search: (old) => ({ ...old, status: value }) }),
          },
        ]}
      />
      <DataList
        label={t.listLabel}
        list={shown}
        columns={COLUMNS}
        rowHeight={60}
        primary={(key, content) => (
          <Link to="/api-keys/$keyId" params={{ keyId: key.id }}>
            {content}
          </Link>
        )}
        empty={
          isFiltered ? (
            <EmptyState icon={IconSearchOff} title={t.noMatchTitle} text={t.noMatch} />
          ) : (
            <EmptyState icon={IconKey} title={t.emptyTitle} text={t.empty}>
              {add}
            </EmptyState>
          )
        }
      />
      <RequireScope scope="api-keys:write">
        <CreateKey preset={create} opened={create !== undefined} onClose={() => setCreate(undefined)} />
      </RequireScope>
    </>
  );
}
