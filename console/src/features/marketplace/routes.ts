import { pages } from "@app/root";
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);

const marketplace = createRoute({
  getParentRoute: () => pages,
  path: "/marketplace",
  validateSearch: (search): { q?: string; type?: string; listing?: string } => ({
    q: text(search.q),
    type: text(search.type),
    listing: text(search.listing),
  }),
  component: lazyRouteComponent(() => import("./MarketplacePage"), "MarketplacePage"),
});

export const marketplaceRoutes = [marketplace] as const;
