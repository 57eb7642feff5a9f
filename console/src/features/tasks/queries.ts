import { listOptions } from "@api/queries";
import { api } from "@api/session";
import type { Task, TaskStatus } from "@sdk/generated/models";
import { queryOptions } from "@tanstack/react-query";

const LOOK_MS = 2_000;

/** The tasks. They are refetched as long as one of them is running. */
export function taskList(status: TaskStatus | undefined) {
  const options = listOptions<Task>(["tasks", "list", { status }], (page, init) =>
    api().tasks.list({ ...page, limit: 50, ...(status && { status }) }, init),
  );
  return {
    ...options,
    refetchInterval: ({ state }: { state: { data?: { pages: { items: Task[] }[] } } }) =>
      state.data?.pages.some(({ items }) => items.some((task) => task.status === "RUNNING")) ? LOOK_MS : false,
  } as typeof options;
}

/** The names of the webhooks, by ID: up to 100 of them, for a page of tasks. */
export const webhookNames = queryOptions({
  queryKey: ["webhooks", "list", "names"],
  queryFn: async ({ signal }) => {
    const { items } = await api().webhooks.list({ limit: 100 }, { signal });
    return new Map(items.map(({ id, name }) => [id, name]));
  },
});
