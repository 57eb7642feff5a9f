import { PageHeader } from "@components/PageHeader";
import { PageTabs } from "@components/PageTabs";
import { RequireScope } from "@components/RequireScope";
import { type Platform, automations as t } from "@strings/automations";
import { getRouteApi } from "@tanstack/react-router";
import classes from "./AutomationsPage.module.css";
import { ConnectSteps } from "./ConnectSteps";
import { Hooks } from "./Hooks";
import { Runs } from "./Runs";
import type { AutomationsSearch } from "./routes";
import { Templates } from "./Templates";

const route = getRouteApi("/pages/automations");
const PLATFORMS: readonly Platform[] = ["zapier", "make", "n8n"];

export function AutomationsPage() {
  return (
    <RequireScope scope="automations:use" page>
      <Content />
    </RequireScope>
  );
}

function Content() {
  const { platform = "zapier", tab = "templates" } = route.useSearch();
  const navigate = route.useNavigate();
  const go = (search: AutomationsSearch) => void navigate({ search });
  return (
    <>
      <PageHeader title={t.title} text={t.text} />
      <fieldset className={classes.platforms}>
        <legend className={classes.legend}>{t.platform}</legend>
        {PLATFORMS.map((each) => (
          <label key={each} className={classes.platform}>
            <input
              type="radio"
              name="platform"
              checked={each === platform}
              onChange={() => go({ platform: each, tab: tab === "templates" ? undefined : tab })}
            />
            {t.platforms[each]}
          </label>
        ))}
      </fieldset>
      <PageTabs
        value={tab}
        labels={t.tabs}
        panels={{
          templates: (
            <>
              <ConnectSteps platform={platform} />
              <RequireScope scope="integrations:read" page>
                <Templates platform={platform} />
              </RequireScope>
            </>
          ),
          hooks: <Hooks platform={platform} />,
          runs: <Runs platform={platform} />,
        }}
        onChange={(value) => go({ platform, tab: value === "templates" ? undefined : value })}
      />
    </>
  );
}
