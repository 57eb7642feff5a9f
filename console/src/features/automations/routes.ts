import { pages } from "@app/root";
import type { Platform } from "@strings/automations";
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);

export interface AutomationsSearch {
  platform?: Platform;
  tab?: "hooks" | "runs";
  /** The status to filter runs by. */
  status?: string;
  /** The open template, hook or run. */
  open?: string;
}

const page = createRoute({
  getParentRoute: () => pages,
  path: "/automations",
  validateSearch: (search): AutomationsSearch => ({
    platform: search.platform === "make" || search.platform === "n8n" ? search.platform : undefined,
    tab: search.tab === "hooks" || search.tab === "runs" ? search.tab : undefined,
    status: text(search.status),
    open: text(search.open),
  }),
  component: lazyRouteComponent(() => import("./AutomationsPage"), "AutomationsPage"),
});

export const automationRoutes = [page] as const;
