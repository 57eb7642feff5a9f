import { pages } from "@app/root";
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);

const list = createRoute({
  getParentRoute: () => pages,
  path: "/flows",
  validateSearch: (search): { q?: string; status?: string } => ({ q: text(search.q), status: text(search.status) }),
  component: lazyRouteComponent(() => import("./FlowsPage"), "FlowsPage"),
});

const create = createRoute({
  getParentRoute: () => pages,
  path: "/flows/new",
  validateSearch: (search): { from?: string } => ({ from: text(search.from) }),
  component: lazyRouteComponent(() => import("./NewFlowPage"), "NewFlowPage"),
});

const detail = createRoute({
  getParentRoute: () => pages,
  path: "/flows/$flowId",
  validateSearch: (search): { tab?: "runs"; status?: string } => ({
    tab: search.tab === "runs" ? "runs" : undefined,
    status: text(search.status),
  }),
  component: lazyRouteComponent(() => import("./FlowPage"), "FlowPage"),
});

const run = createRoute({
  getParentRoute: () => pages,
  path: "/flows/$flowId/runs/$runId",
  validateSearch: (search): { step?: string } => ({ step: text(search.step) }),
  component: lazyRouteComponent(() => import("./RunPage"), "RunPage"),
});

export const flowRoutes = [list, create, detail, run] as const;
