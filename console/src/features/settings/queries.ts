import { listOptions, useChange } from "@api/queries";
import { api, end } from "@api/session";
import type { PortalSession, Task, UpdateWorkspace, Workspace } from "@sdk/generated/models";
import { settings as t } from "@strings/settings";
import { queryOptions } from "@tanstack/react-query";

const WORKSPACE = ["workspace"] as const;
const TASKS = ["workspace", "tasks"] as const;
const POLL_MS = 2_000;

export const workspace = queryOptions({
  queryKey: [...WORKSPACE, "settings"],
  queryFn: ({ signal }) => api().workspace.get({ signal }),
});

export const sessionList = listOptions<PortalSession>(["sessions", "list"], (page, options) =>
  api().portalSessions.list({ ...page, limit: 100 }, options),
);

export const taskList = listOptions<Task>(TASKS, (page, options) => api().tasks.list({ ...page, limit: 100 }, options));

/** A task. It is refetched until it has ended. */
export const taskDetail = (id: string) =>
  queryOptions({
    queryKey: [...TASKS, id],
    queryFn: ({ signal }) => api().tasks.get(id, { signal }),
    refetchInterval: (query) => (query.state.data?.status === "RUNNING" ? POLL_MS : false),
  });

export function useUpdateWorkspace({ version }: Pick<Workspace, "version">, done: string) {
  return useChange({
    run: (body: UpdateWorkspace) => api().workspace.update(body, { ifMatch: version }),
    done,
    changes: [[...WORKSPACE, "settings"], ["api-keys"]],
    showsErrors: true,
  });
}

export function useExport(onDone: (task: Task) => void) {
  return useChange<void, Task>({
    run: () => api().workspace.export(),
    done: t.data.exportStarted,
    changes: [TASKS],
    onDone,
  });
}

export function useCancelTask(id: string) {
  return useChange<void, Task>({
    run: () => api().tasks.cancel(id),
    done: t.data.canceled,
    changes: [TASKS],
  });
}

export function useErase(workspaceId: string, onDone: (task: Task) => void) {
  return useChange<void, Task>({
    run: () => api().workspace.delete({ confirm: workspaceId }),
    done: t.data.eraseStarted,
    changes: [WORKSPACE],
    onDone,
    showsErrors: true,
  });
}

export function useEndSession(id: string, onDone: () => void) {
  return useChange<void, void>({
    run: () => api().portalSessions.end(id),
    done: t.sessions.ended,
    changes: [["sessions"]],
    onDone,
  });
}

/** Ends the session that this page uses. */
export function useEndOwnSession() {
  return useChange<void, void>({ run: () => api().portalSessions.end("current"), changes: [], onDone: end });
}
