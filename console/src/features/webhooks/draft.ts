import type { Filter } from "@components/filters/evaluate";
import type { CreateWebhook, UpdateWebhook, Webhook, WebhookKind } from "@sdk/generated/models";

/** The API returns it instead of a header's value. Sending it keeps the stored value. */
const MASK = "********";

export interface DraftHeader {
  /** Identifies the row during editing. */
  key: number;
  name: string;
  value: string;
  /** The value is the stored one, which the API does not show. */
  isStored: boolean;
}

/** The values of the form, with numbers as entered. */
export interface Draft {
  kind: WebhookKind;
  name: string;
  url: string;
  types: readonly string[];
  isEverything: boolean;
  filters: readonly Filter[];
  headers: readonly DraftHeader[];
  schedule: "own" | "standard";
  maxRetries: string;
  initialDelay: string;
  multiplier: string;
  rate: string;
  disableAfter: string;
  secret: string;
  /** The number of seconds until the webhook is deleted. */
  expires: string;
}

/** The ranges of numbers, from docs/reference/quotas.md. */
export const NUMBERS: Record<NumberField, [least: number, most: number]> = {
  maxRetries: [0, 15],
  initialDelay: [1, 3600],
  multiplier: [1, 10],
  rate: [1, 1000],
  disableAfter: [1, 1000],
};
export type NumberField = "maxRetries" | "initialDelay" | "multiplier" | "rate" | "disableAfter";

export const EMPTY: Draft = {
  kind: "push",
  name: "",
  url: "",
  types: [],
  isEverything: false,
  filters: [],
  headers: [],
  schedule: "own",
  maxRetries: "3",
  initialDelay: "30",
  multiplier: "2",
  rate: "",
  disableAfter: "10",
  secret: "",
  expires: "",
};

let nextKey = 1;

export function newHeader(): DraftHeader {
  return { key: nextKey++, name: "", value: "", isStored: false };
}

export function draftOf(webhook: Webhook): Draft {
  const { retryConfig } = webhook;
  const isEverything = webhook.eventTypes.includes("*");
  return {
    kind: webhook.kind,
    name: webhook.name,
    url: webhook.url ?? "",
    types: isEverything ? [] : webhook.eventTypes,
    isEverything,
    filters: webhook.filters,
    headers: Object.keys(webhook.headers).map((name) => ({ key: nextKey++, name, value: "", isStored: true })),
    schedule: retryConfig.schedule === "standard" ? "standard" : "own",
    maxRetries: String(retryConfig.maxRetries ?? EMPTY.maxRetries),
    initialDelay: String(retryConfig.initialDelaySeconds ?? EMPTY.initialDelay),
    multiplier: String(retryConfig.backoffMultiplier ?? EMPTY.multiplier),
    rate: webhook.rateLimitPerSecond === null ? "" : String(webhook.rateLimitPerSecond),
    disableAfter: String(webhook.disableAfter),
    secret: "",
    expires: "",
  };
}

/** The request body that creates the webhook. */
export function createBody(draft: Draft): CreateWebhook {
  const { kind, secret, expires } = draft;
  return {
    kind,
    ...settings(draft),
    ...(secret.trim() !== "" && { secret: secret.trim() }),
    ...(kind === "pull" && expires !== "" && { expiresInSeconds: Number(expires) }),
  };
}

/** The fields that differ from those of the webhook, with their complete values. */
export function changesOf(draft: Draft, base: Webhook): UpdateWebhook {
  const old = settings(draftOf(base)) as Record<string, unknown>;
  const changed = Object.entries(settings(draft)).filter(([name, value]) => !isSame(value, old[name]));
  return Object.fromEntries(changed);
}

/** The names of the form's fields that another version of the webhook has changed. */
export function changedFields(base: Webhook, latest: Webhook): string[] {
  return Object.keys(changesOf(draftOf(latest), base));
}

/** Whether the URL has a different origin. In that case, the API does not keep the headers' values. */
export function isOtherOrigin(url: string, base: Webhook | null): boolean {
  return base?.url != null && originOf(url) !== originOf(base.url);
}

export function isNumberIn(text: string, field: NumberField): boolean {
  const [least, most] = NUMBERS[field];
  const number = Number(text);
  const isWhole = field === "multiplier" ? Number.isFinite(number) : Number.isInteger(number);
  return text.trim() !== "" && isWhole && number >= least && number <= most;
}

function settings(draft: Draft) {
  const common = {
    name: draft.name.trim(),
    eventTypes: draft.isEverything ? ["*"] : [...draft.types],
    filters: [...draft.filters],
  };
  if (draft.kind === "pull") return common;
  return {
    ...common,
    url: draft.url.trim(),
    headers: Object.fromEntries(
      draft.headers.map(({ name, value, isStored }) => [name.trim(), isStored ? MASK : value]),
    ),
    retryConfig:
      draft.schedule === "standard"
        ? { schedule: "standard" as const }
        : {
            maxRetries: Number(draft.maxRetries),
            initialDelaySeconds: Number(draft.initialDelay),
            backoffMultiplier: Number(draft.multiplier),
          },
    rateLimitPerSecond: draft.rate.trim() === "" ? null : Number(draft.rate),
    disableAfter: Number(draft.disableAfter),
  };
}

function isSame(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

function originOf(url: string): string | null {
  try {
    return new URL(url.trim()).origin;
  } catch {
    return null;
  }
}
