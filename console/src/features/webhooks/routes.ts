import { pages } from "@app/root";
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);

const list = createRoute({
  getParentRoute: () => pages,
  path: "/webhooks",
  validateSearch: (search): { q?: string; status?: string } => ({ q: text(search.q), status: text(search.status) }),
  component: lazyRouteComponent(() => import("./WebhooksPage"), "WebhooksPage"),
});

const detail = createRoute({
  getParentRoute: () => pages,
  path: "/webhooks/$webhookId",
  validateSearch: (search): { tab?: "settings"; status?: string; delivery?: string } => ({
    tab: search.tab === "settings" ? "settings" : undefined,
    status: text(search.status),
    delivery: text(search.delivery),
  }),
  component: lazyRouteComponent(() => import("./WebhookPage"), "WebhookPage"),
});

export const webhookRoutes = [list, detail] as const;
