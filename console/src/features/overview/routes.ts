import { pages } from "@app/root";
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";

const overview = createRoute({
  getParentRoute: () => pages,
  path: "/overview",
  validateSearch: (search): { period?: "7d" | "30d" } => ({
    period: search.period === "7d" || search.period === "30d" ? search.period : undefined,
  }),
  component: lazyRouteComponent(() => import("./OverviewPage"), "OverviewPage"),
});

export const overviewRoutes = [overview] as const;
