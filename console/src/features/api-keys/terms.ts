import type { ApiKey, CreateApiKey, KeyRotation, KeyRotationInput } from "@sdk/generated/models";

const DAY_S = 86_400;

export type ExpiryChoice = "never" | "d30" | "d90" | "d365" | "date";
export type RotationKind = "workspace" | "never" | "days";
export type DeliverKind = "remind" | "webhook" | "secret";

/** The values of the form for a key. */
export interface Terms {
  name: string;
  scopes: string[];
  /** The platform's own scopes, as entered. */
  own: string;
  perHour: string;
  perDay: string;
  expiry: ExpiryChoice;
  /** The last day of validity, in the viewer's time zone: YYYY-MM-DD. */
  date: string;
  rotation: RotationKind;
  everyDays: string;
  overlapDays: string;
  deliver: DeliverKind;
  webhookId: string;
  secretArn: string;
}

export function emptyTerms(scopes: string[]): Terms {
  return {
    name: "",
    scopes,
    own: "",
    perHour: "1000",
    perDay: "10000",
    expiry: "d365",
    date: "",
    rotation: "workspace",
    everyDays: "90",
    overlapDays: "1",
    deliver: "remind",
    webhookId: "",
    secretArn: "",
  };
}

/** The terms of an existing key. Scopes that the matrix does not show are the platform's own. */
export function termsOf(key: ApiKey, shown: ReadonlySet<string>): Terms {
  const { rotation } = key;
  const target = rotation?.deliverTo ?? null;
  return {
    ...emptyTerms(key.scopes.filter((scope) => shown.has(scope))),
    name: key.name,
    own: key.scopes.filter((scope) => !shown.has(scope)).join(" "),
    perHour: String(key.rateLimitPerHour),
    perDay: String(key.rateLimitPerDay),
    expiry: key.expiresAt === null ? "never" : "date",
    date: key.expiresAt === null ? "" : localDay(new Date(key.expiresAt)),
    rotation: rotation === null ? "workspace" : rotation.everyDays === null ? "never" : "days",
    ...(rotation !== null && { overlapDays: String(rotation.overlapSeconds / DAY_S) }),
    ...(rotation?.everyDays && { everyDays: String(rotation.everyDays) }),
    ...(target?.type === "webhook" && { deliver: "webhook" as const, webhookId: target.webhookId }),
    ...(target?.type === "secretsManager" && { deliver: "secret" as const, secretArn: target.secretArn }),
  };
}

export function ownScopes(own: string): string[] {
  return own.split(/[\s,]+/).filter(Boolean);
}

/** The request for these terms. `pinned` is the stored policy: its target stays confirmed if it does not change. */
export function requestOf(terms: Terms, pinned: KeyRotation | null = null): Required<CreateApiKey> {
  return {
    name: terms.name.trim(),
    scopes: [...new Set([...terms.scopes, ...ownScopes(terms.own)])],
    rateLimitPerHour: Number(terms.perHour),
    rateLimitPerDay: Number(terms.perDay),
    expiresAt: expiresAt(terms),
    rotation: rotationOf(terms, pinned),
  };
}

/** The fields of a request that differ from the key. A day that did not change keeps its time of day. */
export function changesOf(key: ApiKey, shown: ReadonlySet<string>, terms: Terms): Partial<Required<CreateApiKey>> {
  const before = termsOf(key, shown);
  const request = requestOf(terms, key.rotation);
  const addsScopes = request.scopes.some((scope) => !key.scopes.includes(scope));
  // Leaving out the pin confirms that the receiver of new keys gets the added scopes.
  if (addsScopes && request.rotation?.deliverTo) request.rotation = rotationOf(terms, null);
  const isSame: Record<keyof Required<CreateApiKey>, boolean> = {
    name: request.name === key.name,
    scopes: [...request.scopes].sort().join() === [...key.scopes].sort().join(),
    rateLimitPerHour: request.rateLimitPerHour === key.rateLimitPerHour,
    rateLimitPerDay: request.rateLimitPerDay === key.rateLimitPerDay,
    expiresAt: terms.expiry === before.expiry && terms.date === before.date,
    rotation: JSON.stringify(request.rotation) === JSON.stringify(rotationOf(before, key.rotation)),
  };
  return Object.fromEntries(Object.entries(request).filter(([name]) => !isSame[name as keyof typeof isSame]));
}

function expiresAt({ expiry, date }: Terms): string | null {
  if (expiry === "never") return null;
  if (expiry === "date") return new Date(`${date}T23:59:59`).toISOString();
  return new Date(Date.now() + Number(expiry.slice(1)) * DAY_S * 1000).toISOString();
}

function rotationOf(terms: Terms, pinned: KeyRotation | null): KeyRotationInput | null {
  if (terms.rotation === "workspace") return null;
  if (terms.rotation === "never") return { everyDays: null };
  return {
    everyDays: Number(terms.everyDays),
    overlapSeconds: Math.round(Number(terms.overlapDays) * DAY_S),
    deliverTo: targetOf(terms, pinned?.deliverTo ?? null),
  };
}

function targetOf(terms: Terms, pinned: KeyRotation["deliverTo"]): NonNullable<KeyRotationInput["deliverTo"]> | null {
  if (terms.deliver === "webhook") {
    const pin = pinned?.type === "webhook" && pinned.webhookId === terms.webhookId ? pinned.pin : null;
    return { type: "webhook", webhookId: terms.webhookId.trim(), ...(pin && { pin }) };
  }
  if (terms.deliver === "secret") {
    const pin = pinned?.type === "secretsManager" && pinned.secretArn === terms.secretArn ? pinned.pin : null;
    return { type: "secretsManager", secretArn: terms.secretArn.trim(), ...(pin && { pin }) };
  }
  return null;
}

function localDay(date: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}
