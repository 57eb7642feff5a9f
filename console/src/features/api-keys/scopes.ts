import type { Session } from "@api/session";
import roles from "./roles.json";

/** The names of the presets, in the order of the form. */
export const PRESETS = ["publisher", "automations", "viewer", "member", "admin"] as const;

export type Preset = (typeof PRESETS)[number];

/** The scopes of each preset. The roles' scopes must be those of the server: tests/contract compares them. */
const SCOPES: Record<Preset, readonly string[]> = {
  publisher: ["events:publish"],
  automations: ["automations:use"],
  viewer: roles.viewer,
  member: roles.member,
  admin: roles.admin,
};

const PATCHBAYS = new Set([...roles.owner, "actions:handle", "publications:review"]);

/** Whether the session may grant a scope, and so edit keys with it. Some roles may also grant the platform's own. */
export function mayGrant(scope: string, { scopes, role }: Pick<Session, "scopes" | "role">): boolean {
  return scopes.has(scope) || (!PATCHBAYS.has(scope) && grantsOwn(role));
}

/** Whether a role may grant the platform's own scopes, which Patchbay only stores. */
export function grantsOwn(role: string | null): boolean {
  return role === "admin" || role === "owner";
}

export function isPreset(name: string | undefined): name is Preset {
  return name !== undefined && name in SCOPES;
}

/** The scopes of a preset that the caller may grant. */
export function presetScopes(preset: Preset, grantable: ReadonlySet<string>): string[] {
  return SCOPES[preset].filter((scope) => grantable.has(scope));
}

/** Whether the caller may grant all scopes of a preset. */
export function isWhole(preset: Preset, grantable: ReadonlySet<string>): boolean {
  return SCOPES[preset].every((scope) => grantable.has(scope));
}

/** The preset with exactly these scopes, even if the session may not grant them. */
export function wholePreset(scopes: readonly string[]): Preset | null {
  const own = new Set(scopes);
  return PRESETS.find((preset) => SCOPES[preset].length === own.size && isWhole(preset, own)) ?? null;
}

/** The preset with exactly these scopes, counting only scopes that the caller may grant; null if there is none. */
export function presetOf(scopes: readonly string[], grantable: ReadonlySet<string>): Preset | null {
  const wanted = [...scopes].sort().join(" ");
  return PRESETS.find((preset) => presetScopes(preset, grantable).sort().join(" ") === wanted) ?? null;
}

/** A row of the matrix: a resource, and its scopes by verb. */
export interface ScopeRow {
  resource: string;
  read: string | null;
  write: string | null;
  /** Scopes with verbs other than read and write. */
  others: string[];
}

export function verbOf(scope: string): string {
  return scope.slice(scope.indexOf(":") + 1);
}

/** Groups scopes into rows of the matrix, by resource. */
export function scopeRows(scopes: Iterable<string>): ScopeRow[] {
  const rows = new Map<string, ScopeRow>();
  for (const scope of [...scopes].sort()) {
    const resource = scope.slice(0, scope.indexOf(":"));
    const row = rows.get(resource) ?? { resource, read: null, write: null, others: [] };
    rows.set(resource, row);
    const verb = verbOf(scope);
    if (verb === "read") row.read = scope;
    else if (verb === "write") row.write = scope;
    else row.others.push(scope);
  }
  return [...rows.values()];
}

/** Whether a word has the format of a scope. The server checks whether it exists. */
export function isScope(word: string): boolean {
  return /^[a-z][a-z0-9-]{0,31}:[a-z][a-z0-9-]{0,31}$/.test(word);
}
