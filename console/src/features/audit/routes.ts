import { pages } from "@app/root";
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);

/** The filters of the list, and the open request. */
export interface AuditSearch {
  actor?: string;
  action?: string;
  target?: string;
  outcome?: string;
  period?: string;
  entry?: string;
}

const list = createRoute({
  getParentRoute: () => pages,
  path: "/audit",
  validateSearch: (search): AuditSearch => ({
    actor: text(search.actor),
    action: text(search.action),
    target: text(search.target),
    outcome: text(search.outcome),
    period: text(search.period),
    entry: text(search.entry),
  }),
  component: lazyRouteComponent(() => import("./AuditPage"), "AuditPage"),
});

export const auditRoutes = [list] as const;
