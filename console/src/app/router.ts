import { PageSkeleton } from "@components/Skeletons";
import { createRoute, createRouter } from "@tanstack/react-router";
import { apiKeyRoutes } from "../features/api-keys/routes";
import { auditRoutes } from "../features/audit/routes";
import { automationRoutes } from "../features/automations/routes";
import { eventRoutes } from "../features/events/routes";
import { flowRoutes } from "../features/flows/routes";
import { integrationRoutes } from "../features/integrations/routes";
import { marketplaceRoutes } from "../features/marketplace/routes";
import { overviewRoutes } from "../features/overview/routes";
import { reviewRoutes } from "../features/reviews/routes";
import { settingsRoutes } from "../features/settings/routes";
import { taskRoutes } from "../features/tasks/routes";
import { webhookRoutes } from "../features/webhooks/routes";
import { Home } from "./Home";
import { pages, rootRoute } from "./root";

const home = createRoute({ getParentRoute: () => pages, path: "/", component: Home });

/** All pages. Each feature adds its routes here, and its item to NAVIGATION. */
const routeTree = rootRoute.addChildren([
  pages.addChildren([
    home,
    ...overviewRoutes,
    ...eventRoutes,
    ...webhookRoutes,
    ...taskRoutes,
    ...flowRoutes,
    ...automationRoutes,
    ...apiKeyRoutes,
    ...auditRoutes,
    ...settingsRoutes,
    ...marketplaceRoutes,
    ...reviewRoutes,
    ...integrationRoutes,
  ]),
]);

export const router = createRouter({
  routeTree,
  basepath: "/console",
  defaultPreload: "intent",
  defaultPendingComponent: PageSkeleton,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
  interface StaticDataRouteOption {
    /** Whether the route opens a drawer on its parent's page. */
    isDrawer?: boolean;
  }
}
