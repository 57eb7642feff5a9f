import { pages } from "@app/root";
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);

const TABS = ["deliveries", "feed", "replays", "settings", "activity"] as const;
export type WebhookTab = (typeof TABS)[number];

export interface WebhookSearch {
  tab?: WebhookTab;
  status?: string;
  eventType?: string;
  delivery?: string;
  task?: string;
}

/** The choice of a flow template that the new webhook is created for. */
export interface NewWebhookSearch {
  template?: string;
  choice?: string;
}

const list = createRoute({
  getParentRoute: () => pages,
  path: "/webhooks",
  validateSearch: (search): { q?: string; status?: string } => ({ q: text(search.q), status: text(search.status) }),
  component: lazyRouteComponent(() => import("./WebhooksPage"), "WebhooksPage"),
});

const create = createRoute({
  getParentRoute: () => pages,
  path: "/webhooks/new",
  validateSearch: (search): NewWebhookSearch => ({ template: text(search.template), choice: text(search.choice) }),
  component: lazyRouteComponent(() => import("./NewWebhookPage"), "NewWebhookPage"),
});

const detail = createRoute({
  getParentRoute: () => pages,
  path: "/webhooks/$webhookId",
  validateSearch: (search): WebhookSearch => ({
    tab: TABS.find((tab) => tab === search.tab),
    status: text(search.status),
    eventType: text(search.eventType),
    delivery: text(search.delivery),
    task: text(search.task),
  }),
  component: lazyRouteComponent(() => import("./WebhookPage"), "WebhookPage"),
});

export const webhookRoutes = [list, create, detail] as const;
