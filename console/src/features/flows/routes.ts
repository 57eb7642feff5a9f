import { pages } from "@app/root";
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import type { Chosen } from "./model/templates";

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);

function texts(value: unknown): Chosen | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => text(entry[1]) !== undefined),
  );
}

const list = createRoute({
  getParentRoute: () => pages,
  path: "/flows",
  validateSearch: (search): { q?: string; status?: string } => ({ q: text(search.q), status: text(search.status) }),
  component: lazyRouteComponent(() => import("./FlowsPage"), "FlowsPage"),
});

const create = createRoute({
  getParentRoute: () => pages,
  path: "/flows/new",
  validateSearch: (search): { from?: string; chosen?: Chosen } => ({
    from: text(search.from),
    chosen: texts(search.chosen),
  }),
  component: lazyRouteComponent(() => import("./NewFlowPage"), "NewFlowPage"),
});

const template = createRoute({
  getParentRoute: () => pages,
  path: "/flows/templates/$template",
  validateSearch: (search): { chosen?: Chosen } => ({ chosen: texts(search.chosen) }),
  component: lazyRouteComponent(() => import("./TemplatePage"), "TemplatePage"),
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

export const flowRoutes = [list, create, template, detail, run] as const;
