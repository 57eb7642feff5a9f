import { ErrorPanel } from "@components/ErrorPanel";
import { SegmentedControl } from "@mantine/core";
import "@mantine/core/styles/FloatingIndicator.css";
import "@mantine/core/styles/SegmentedControl.css";
import { overview as t } from "@strings/overview";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Charts } from "./Charts";
import classes from "./overview.module.css";
import { analytics, PERIODS, type Period } from "./queries";

const route = getRouteApi("/pages/overview");

/** The metrics of a period, and the control that switches periods. */
export function Activity() {
  const { period = "24h" } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery(analytics(period));
  return (
    <section aria-labelledby="activity">
      <div className={classes.activity}>
        <h2 id="activity" className={classes.heading}>
          {t.activity}
        </h2>
        <SegmentedControl
          size="xs"
          transitionDuration={0}
          aria-label={t.period}
          value={period}
          data={PERIODS.map((value) => ({ value, label: t.periods[value] }))}
          onChange={(value) =>
            void navigate({
              search: { period: value === "24h" ? undefined : (value as Exclude<Period, "24h">) },
              replace: true,
              resetScroll: false,
            })
          }
        />
      </div>
      {query.error ? (
        <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />
      ) : (
        <Charts analytics={query.data ?? null} isStale={query.isPlaceholderData} />
      )}
    </section>
  );
}
