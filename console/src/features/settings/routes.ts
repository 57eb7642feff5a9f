import { pages } from "@app/root";
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);

const page = createRoute({
  getParentRoute: () => pages,
  path: "/settings",
  // `session` is the open session, `task` the export or erasure that is shown.
  validateSearch: (search): { tab?: "sessions" | "data"; session?: string; task?: string } => ({
    tab: search.tab === "sessions" || search.tab === "data" ? search.tab : undefined,
    session: text(search.session),
    task: text(search.task),
  }),
  component: lazyRouteComponent(() => import("./SettingsPage"), "SettingsPage"),
});

export const settingsRoutes = [page] as const;
