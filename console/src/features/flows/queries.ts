import { listOptions, useChange } from "@api/queries";
import { api, useCan } from "@api/session";
import type { Sample } from "@components/filters/SampleEditor";
import type { Flow, FlowRun, FlowRunStatus, FlowStatus } from "@sdk/generated/models";
import { flows as t } from "@strings/flows";
import { queryOptions, skipToken, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo } from "react";
import { allSteps, type Draft, type Step } from "./model/definition";
import type { Chosen } from "./model/templates";
import type { Action } from "./model/values";
import type { Names } from "./words";

const LIST = ["flows", "list"] as const;
/** All automation platforms have the same actions. */
const PLATFORM = "zapier";
const CURRENT: readonly FlowRunStatus[] = ["RUNNING", "WAITING"];

export const flowList = listOptions<Flow>(LIST, (page, options) =>
  api().flows.list({ ...page, limit: 100, include: "recentRuns" }, options),
);

export const templates = queryOptions({
  queryKey: ["flows", "templates"],
  queryFn: async ({ signal }) => (await api().flows.listTemplates({ signal })).items,
  staleTime: Number.POSITIVE_INFINITY,
});

/** Creates an active flow from a template. */
export function useInstallFlow(onDone: (flow: Flow) => void) {
  return useChange({
    run: ({ key, name, choices: chosen }: { key: string; name: string; choices: Chosen }) =>
      api().flows.install(key, { choices: chosen, ...(name && { name }) }),
    done: t.detail.activated,
    changes: [LIST],
    showsErrors: true,
    onDone,
  });
}

export const flowDetail = (id: string) =>
  queryOptions({ queryKey: ["flows", id], queryFn: ({ signal }) => api().flows.get(id, { signal }) });

export const runList = (id: string, status?: FlowRunStatus) =>
  listOptions<FlowRun>(["flows", id, "runs", { status }], (page, options) =>
    api().flows.listRuns(id, { ...page, limit: 100, ...(status && { status }) }, options),
  );

/** A run. It is refetched until it has ended. */
export const runDetail = (id: string, runId: string) =>
  queryOptions({
    queryKey: ["flows", id, "runs", runId],
    queryFn: ({ signal }) => api().flows.getRun(id, runId, { signal }),
    refetchInterval: ({ state }) => (state.data && CURRENT.includes(state.data.status) ? 2_000 : false),
  });

export const eventTypes = queryOptions({
  queryKey: ["event-types"],
  queryFn: async ({ signal }) => (await api().webhooks.eventTypes({ signal })).items,
  staleTime: Number.POSITIVE_INFINITY,
});

/** The actions of the catalogue, in the type that the editor uses. */
export const actions = queryOptions({
  queryKey: ["flows", "actions"],
  queryFn: async ({ signal }) => (await api().automations.listActions(PLATFORM, { signal })) as unknown as Action[],
  staleTime: Number.POSITIVE_INFINITY,
});

/** The IDs that a field of an action takes, with their names. */
export const choices = (resource: string) =>
  queryOptions({
    queryKey: ["flows", "choices", resource],
    queryFn: ({ signal }) => api().automations.listChoices(PLATFORM, resource, {}, { signal }),
    staleTime: 60_000,
  });

/** The delivery of a webhook step. It is refetched until it has ended. */
export const stepDelivery = (webhookId: string, deliveryId: string) =>
  queryOptions({
    queryKey: ["webhooks", webhookId, "deliveries", deliveryId],
    queryFn: ({ signal }) => api().webhooks.getDelivery(webhookId, deliveryId, { signal }),
    refetchInterval: ({ state: { data } }) =>
      data && (data.status === "PENDING" || data.status === "SENDING") ? 2_000 : false,
    retry: false,
  });

export const webhooks = queryOptions({
  queryKey: ["webhooks", "list", "for-flows"],
  queryFn: async ({ signal }) => (await api().webhooks.list({ limit: 100 }, { signal })).items,
});

/** The connections that requests can use, with the names of their integrations. */
export const connections = queryOptions({
  queryKey: ["connections", "for-flows"],
  queryFn: async ({ signal }) => {
    const [listed, integrations] = await Promise.all([
      api().connections.listAll({ limit: 100 }, { signal }),
      api().integrations.list({ limit: 100 }, { signal }),
    ]);
    const names = new Map(integrations.items.map(({ id, name }) => [id, name]));
    return listed.items.map(({ connectionId, integrationId, account }) => ({
      name: connectionId,
      integrationId,
      integration: names.get(integrationId) ?? integrationId,
      account: account.label,
    }));
  },
});

/** Saves a draft, and activates the flow if `activate` is set. Otherwise, a new flow is inactive. */
export function useSaveFlow(flow: Flow | null, onSaved: (flow: Flow) => void) {
  const queries = useQueryClient();
  const keep = (saved: Flow) => queries.setQueryData(["flows", saved.id], saved);
  return useChange({
    run: async ({ draft, activate }: { draft: Draft; activate: boolean }) => {
      if (flow === null) return await api().flows.create({ ...draft, status: activate ? "ACTIVE" : "INACTIVE" });
      const saved = await api().flows.update(flow.id, draft, { ifMatch: flow.version });
      // The draft is saved, even if the activation fails.
      keep(saved);
      return activate ? await api().flows.setStatus(flow.id, { status: "ACTIVE" }) : saved;
    },
    done: ({ status }, { activate }) => ({
      message: activate ? t.detail.activated : status === "ACTIVE" ? t.detail.saved : t.detail.created,
    }),
    changes: [LIST],
    showsErrors: true,
    onDone: (saved) => {
      keep(saved);
      onSaved(saved);
    },
  });
}

export function useSetStatus(id: string) {
  return useChange({
    run: (status: FlowStatus) => api().flows.setStatus(id, { status }),
    done: ({ status }) => ({ message: status === "ACTIVE" ? t.detail.activated : t.detail.deactivated }),
    changes: [["flows", id], LIST],
  });
}

export function useDeleteFlow({ id, name, version }: Pick<Flow, "id" | "name" | "version">, onDone: () => void) {
  return useChange<void, void>({
    run: () => api().flows.delete(id, { ifMatch: version }),
    done: t.detail.removed(name),
    changes: [LIST],
    onDone,
  });
}

export function useDryRun() {
  return useMutation({
    mutationFn: ({ draft: { trigger, steps }, sample }: { draft: Draft; sample: Sample | null }) =>
      api().flows.dryRun({ trigger, steps, ...(sample && { eventType: sample.type, data: sample.data }) }),
  });
}

/**
 * The names for step summaries: the webhooks that steps use, and the actions once a step is open. It loads them late,
 * and only those that the session may read. Without names, IDs are shown.
 */
export function useNames(steps: readonly Step[], isStepOpen = false): Names {
  const canReadWebhooks = useCan("webhooks:read");
  const canUseActions = useCan("automations:use");
  const types = new Set(allSteps(steps).map(({ type }) => type));
  const wantsWebhooks = canReadWebhooks && types.has("webhook");
  const wantsActions = canUseActions && types.has("action") && isStepOpen;
  const hooks = useQuery({ ...webhooks, queryFn: wantsWebhooks ? webhooks.queryFn : skipToken });
  const known = useQuery({ ...actions, queryFn: wantsActions ? actions.queryFn : skipToken });
  return useMemo(() => ({ webhooks: hooks.data ?? [], actions: known.data ?? [] }), [hooks.data, known.data]);
}
