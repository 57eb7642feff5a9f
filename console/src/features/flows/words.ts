import type { Tone } from "@components/StatusBadge";
import type { FlowRunStatus, FlowStatus } from "@sdk/generated/models";
import { flows as t } from "@strings/flows";
import {
  IconArrowsSplit2,
  IconBolt,
  IconClock,
  IconFilter,
  IconPlayerPlay,
  IconSend,
  IconWorldUpload,
  type TablerIcon,
} from "@tabler/icons-react";
import type { Step, StepType, Trigger } from "./model/definition";
import type { Action } from "./model/values";

export type ShownStatus = FlowRunStatus | "SKIPPED";

const TONES: Record<ShownStatus, Tone> = {
  RUNNING: "info",
  WAITING: "info",
  SUCCEEDED: "success",
  STOPPED: "neutral",
  FAILED: "danger",
  CANCELLED: "neutral",
  SKIPPED: "neutral",
};

export const STEP_TYPES: readonly StepType[] = ["webhook", "action", "request", "wait", "filter", "branch"];
export const ICONS: Record<StepType, TablerIcon> = {
  webhook: IconSend,
  action: IconPlayerPlay,
  request: IconWorldUpload,
  wait: IconClock,
  filter: IconFilter,
  branch: IconArrowsSplit2,
};
export const TRIGGER_ICON = IconBolt;

export function flowStatus(status: FlowStatus): { tone: Tone; children: string } {
  return { tone: status === "ACTIVE" ? "success" : "neutral", children: t.statuses[status] };
}

export function runStatus(status: ShownStatus): { tone: Tone; children: string } {
  return { tone: TONES[status], children: t.runStatuses[status] };
}

/** Names that a step's summary shows instead of IDs. */
export interface Names {
  webhooks: readonly { id: string; name: string }[];
  actions: readonly Action[];
}

export function titleOf(step: Step): string {
  return step.name || t.types[step.type];
}

/** A one-line summary of what a step does. */
export function summaryOf(step: Step, { webhooks, actions }: Names): string {
  switch (step.type) {
    case "webhook":
      return webhooks.find(({ id }) => id === step.webhookId)?.name ?? (step.webhookId || t.summaries.noWebhook);
    case "action":
      return (
        actions.find(({ id }) => id === step.action)?.label ??
        (step.action === "" ? t.summaries.noAction : t.summaries.key(step.action))
      );
    case "request":
      return step.url === "" ? t.summaries.noRequest : `${step.method} ${step.url}`;
    case "wait":
      return t.summaries.seconds(step.seconds);
    case "filter":
      return conditions(step.filters.length);
    case "branch":
      return conditions(step.condition.length);
  }
}

export function triggerSummary({ eventTypes, filters = [] }: Trigger): string {
  const types = t.editor.triggerSummary(eventTypes);
  return filters.length === 0 ? types : `${types} · ${t.editor.withFilters(filters.length)}`;
}

function conditions(number: number): string {
  return number === 0 ? t.summaries.noConditions : t.summaries.conditions(number);
}
