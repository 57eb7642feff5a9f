import { pages } from "@app/root";
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);

const list = createRoute({
  getParentRoute: () => pages,
  path: "/api-keys",
  // `create` opens the form, with the scopes of a preset.
  validateSearch: (search): { q?: string; status?: string; create?: string } => ({
    q: text(search.q),
    status: text(search.status),
    create: text(search.create),
  }),
  component: lazyRouteComponent(() => import("./ApiKeysPage"), "ApiKeysPage"),
});

const detail = createRoute({
  getParentRoute: () => pages,
  path: "/api-keys/$keyId",
  component: lazyRouteComponent(() => import("./ApiKeyPage"), "ApiKeyPage"),
});

export const apiKeyRoutes = [list, detail] as const;
