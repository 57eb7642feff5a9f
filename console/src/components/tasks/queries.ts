import { useChange } from "@api/queries";
import { api } from "@api/session";
import { tasks as t } from "@strings/tasks";

export function useCancelTask(id: string, onDone: () => void) {
  return useChange({
    run: () => api().tasks.cancel(id),
    done: t.cancelled,
    changes: [["tasks"]],
    onDone,
  });
}
