import { listOptions, useChange } from "@api/queries";
import { api } from "@api/session";
import type { Hook, Integration, Run, RunStatus } from "@sdk/generated/models";
import { type Platform, automations as t } from "@strings/automations";

const TYPES = { zapier: "ZAPIER", make: "MAKE", n8n: "N8N" } as const;

export const templateList = (platform: Platform) =>
  listOptions<Integration>(["automations", "templates", platform], (page, options) =>
    api().integrations.marketplace({ ...page, type: TYPES[platform], limit: 100 }, options),
  );

export const hookList = (platform: Platform) =>
  listOptions<Hook>(["automations", "hooks", platform], (page, options) =>
    api().automations.listHooks(platform, { ...page, limit: 100 }, options),
  );

export const runList = (platform: Platform, status?: string) =>
  listOptions<Run>(["automations", "runs", platform, { status }], (page, options) =>
    api().automations.listRuns(
      platform,
      { ...page, limit: 50, ...(status && { status: status as RunStatus }) },
      options,
    ),
  );

export function useRemoveHook(hook: Hook, onDone: () => void) {
  return useChange<void, void>({
    run: () => api().automations.unsubscribe(hook.platform, hook.id, { ifMatch: hook.version }),
    done: t.hooks.removed,
    changes: [["automations", "hooks", hook.platform], ["webhooks"]],
    onDone,
  });
}
