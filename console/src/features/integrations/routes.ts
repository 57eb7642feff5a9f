import { pages } from "@app/root";
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);
const oneOf = <T extends string>(value: unknown, known: readonly T[]) => known.find((each) => each === value);

const list = createRoute({
  getParentRoute: () => pages,
  path: "/integrations",
  validateSearch: (search): { q?: string; status?: string; create?: true } => ({
    q: text(search.q),
    status: text(search.status),
    create: search.create === true || undefined,
  }),
  component: lazyRouteComponent(() => import("./IntegrationsPage"), "IntegrationsPage"),
});

const detail = createRoute({
  getParentRoute: () => pages,
  path: "/integrations/$integrationId",
  validateSearch: (
    search,
  ): {
    tab?: "connections" | "configuration" | "activity";
    q?: string;
    status?: string;
    connection?: string;
    action?: string;
  } => ({
    tab: oneOf(search.tab, ["connections", "configuration", "activity"]),
    q: text(search.q),
    status: text(search.status),
    connection: text(search.connection),
    action: text(search.action),
  }),
  component: lazyRouteComponent(() => import("./IntegrationPage"), "IntegrationPage"),
});

const connections = createRoute({
  getParentRoute: () => pages,
  path: "/connections",
  validateSearch: (
    search,
  ): { q?: string; status?: string; integration?: string; connection?: string; of?: string } => ({
    q: text(search.q),
    status: text(search.status),
    integration: text(search.integration),
    connection: text(search.connection),
    of: text(search.of),
  }),
  component: lazyRouteComponent(() => import("./ConnectionsPage"), "ConnectionsPage"),
});

const links = createRoute({
  getParentRoute: () => pages,
  path: "/connections/links",
  validateSearch: (search): { link?: string } => ({ link: text(search.link) }),
  component: lazyRouteComponent(() => import("./LinksPage"), "LinksPage"),
});

export const integrationRoutes = [list, detail, connections, links] as const;
