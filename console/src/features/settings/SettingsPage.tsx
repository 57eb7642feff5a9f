import { ErrorPanel } from "@components/ErrorPanel";
import { PageHeader } from "@components/PageHeader";
import { PageSkeleton } from "@components/Skeletons";
import { Tabs } from "@mantine/core";
import "@mantine/core/styles/Tabs.css";
import { settings as t } from "@strings/settings";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Data } from "./Data";
import { General } from "./General";
import { workspace } from "./queries";
import { Sessions } from "./Sessions";
import classes from "./SettingsPage.module.css";

const route = getRouteApi("/pages/settings");

export function SettingsPage() {
  const { tab = "general" } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery(workspace);
  return (
    <>
      <PageHeader title={t.title} text={t.text} />
      {query.data?.status === "ERASING" && (
        <p className={classes.warning} role="alert">
          {t.erasing}
        </p>
      )}
      <Tabs
        value={tab}
        keepMounted={false}
        onChange={(value) =>
          void navigate({ search: { tab: value === "sessions" || value === "data" ? value : undefined } })
        }
      >
        <Tabs.List mb="lg">
          {(["general", "sessions", "data"] as const).map((each) => (
            <Tabs.Tab key={each} value={each}>
              {t.tabs[each]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="general">
          {query.isPending ? (
            <PageSkeleton />
          ) : query.error ? (
            <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />
          ) : (
            <General workspace={query.data} />
          )}
        </Tabs.Panel>
        <Tabs.Panel value="sessions">
          <Sessions />
        </Tabs.Panel>
        <Tabs.Panel value="data">
          <Data />
        </Tabs.Panel>
      </Tabs>
    </>
  );
}
