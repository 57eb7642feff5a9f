import { pages } from "@app/root";
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { type Filters, TIMES } from "./queries";

function oneOf<T extends string>(value: unknown, allowed: readonly T[]): T | undefined {
  return allowed.find((each) => each === value);
}

const list = createRoute({
  getParentRoute: () => pages,
  path: "/events",
  validateSearch: (search): Filters => ({
    type: typeof search.type === "string" && /^[A-Z][A-Z0-9_]{0,63}$/.test(search.type) ? search.type : undefined,
    source: oneOf(search.source, ["api", "bus", "patchbay"]),
    status: oneOf(search.status, ["ACCEPTED", "REJECTED"]),
    time: oneOf(search.time, TIMES),
  }),
  component: lazyRouteComponent(() => import("./EventsPage"), "EventsPage"),
});

const detail = createRoute({
  getParentRoute: () => pages,
  path: "/events/$eventId",
  component: lazyRouteComponent(() => import("./EventPage"), "EventPage"),
});

export const eventRoutes = [list, detail] as const;
