import { PageSkeleton } from "@components/Skeletons";
import { createRoute, createRouter } from "@tanstack/react-router";
import { eventRoutes } from "../features/events/routes";
import { integrationRoutes } from "../features/integrations/routes";
import { marketplaceRoutes } from "../features/marketplace/routes";
import { overviewRoutes } from "../features/overview/routes";
import { taskRoutes } from "../features/tasks/routes";
import { webhookRoutes } from "../features/webhooks/routes";
import { Home } from "./Home";
import { pages, rootRoute } from "./root";

const home = createRoute({ getParentRoute: () => pages, path: "/", component: Home });

/** All pages. A feature adds its routes here, and its item to NAVIGATION. */
const routeTree = rootRoute.addChildren([
  pages.addChildren([
    home,
    ...overviewRoutes,
    ...eventRoutes,
    ...webhookRoutes,
    ...taskRoutes,
    ...marketplaceRoutes,
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
}
