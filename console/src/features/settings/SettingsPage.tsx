import { Loaded } from "@components/Loaded";
import { PageHeader } from "@components/PageHeader";
import { PageTabs } from "@components/PageTabs";
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
      <PageTabs
        value={tab}
        labels={t.tabs}
        panels={{
          general: <Loaded query={query}>{(loaded) => <General workspace={loaded} />}</Loaded>,
          sessions: <Sessions />,
          data: <Data />,
        }}
        onChange={(value) => void navigate({ search: { tab: value === "general" ? undefined : value } })}
      />
    </>
  );
}
