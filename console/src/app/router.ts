import { PageSkeleton } from "@components/Skeletons";
import { createRoute, createRouter } from "@tanstack/react-router";
import { flowRoutes } from "../features/flows/routes";
import { webhookRoutes } from "../features/webhooks/routes";
import { Home } from "./Home";
import { pages, rootRoute } from "./root";

const home = createRoute({ getParentRoute: () => pages, path: "/", component: Home });

/** All pages. A feature adds its routes here, and its item to NAVIGATION. */
const routeTree = rootRoute.addChildren([pages.addChildren([home, ...flowRoutes, ...webhookRoutes])]);

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
