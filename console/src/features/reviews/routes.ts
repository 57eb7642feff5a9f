import { pages } from "@app/root";
import type { ReviewStatus } from "@sdk/generated/models";
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";

const STATUSES: readonly ReviewStatus[] = ["PENDING", "APPROVED", "REJECTED"];

/** What the list is narrowed to, and the open publication: `<workspace>/<int_…>`. */
export interface ReviewsSearch {
  status?: ReviewStatus;
  publication?: string;
}

const list = createRoute({
  getParentRoute: () => pages,
  path: "/reviews",
  validateSearch: (search): ReviewsSearch => ({
    status: STATUSES.find((status) => status === search.status),
    publication:
      typeof search.publication === "string" && /^[\w-]{1,64}\/int_\w{22}$/.test(search.publication)
        ? search.publication
        : undefined,
  }),
  component: lazyRouteComponent(() => import("./ReviewsPage"), "ReviewsPage"),
});

export const reviewRoutes = [list] as const;
