import { createRootRoute, createRoute } from "@tanstack/react-router";
import { Layout } from "./Layout";
import { NotFound, PageFailed } from "./pages";

export const rootRoute = createRootRoute({
  component: Layout,
  notFoundComponent: NotFound,
  errorComponent: PageFailed,
});

/** The parent of every page: `createRoute({ getParentRoute: () => pages, … })`. */
export const pages = createRoute({
  getParentRoute: () => rootRoute,
  id: "pages",
  notFoundComponent: NotFound,
  errorComponent: PageFailed,
});
