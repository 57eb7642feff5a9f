import { pages } from "@app/root";
import type { TaskStatus } from "@sdk/generated/models";
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";

const STATUSES: readonly TaskStatus[] = ["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"];

const list = createRoute({
  getParentRoute: () => pages,
  path: "/tasks",
  validateSearch: (search): { status?: TaskStatus; task?: string } => ({
    status: STATUSES.find((status) => status === search.status),
    task: typeof search.task === "string" ? search.task : undefined,
  }),
  component: lazyRouteComponent(() => import("./TasksPage"), "TasksPage"),
});

export const taskRoutes = [list] as const;
