import { pages } from "@app/root";
import type { ReviewStatus } from "@sdk/generated/models";
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";

const STATUSES: readonly ReviewStatus[] = ["PENDING", "APPROVED", "REJECTED"];

const list = createRoute({
  getParentRoute: () => pages,
  path: "/reviews",
  validateSearch: (search): { status?: ReviewStatus } => ({
    status: STATUSES.find((status) => status === search.status),
  }),
  component: lazyRouteComponent(() => import("./ReviewsPage"), "ReviewsPage"),
});

/** A publication, in a drawer on the list's page. */
const publication = createRoute({
  getParentRoute: () => list,
  path: "$workspaceId/$publicationId",
  staticData: { isDrawer: true },
});

export const reviewRoutes = [list.addChildren([publication])] as const;
