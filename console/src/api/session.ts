import { Patchbay } from "@sdk/client";
import { ApiError } from "@sdk/errors";
import type { Theme } from "@sdk/generated/models";
import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { exchange } from "./exchange";
import { isEmbedded } from "./page";
import { onParentToken, tellParent } from "./parent";

/** An open session: who uses the console, and what they may do. */
export interface Session {
  workspaceId: string;
  /** Who it is, for people: the session's label, or the caller's ID. */
  who: string;
  /** The caller, as `createdBy` names them. */
  id: string;
  /** The portal session's ID; null for a user of the platform. */
  sessionId: string | null;
  /** When the portal session ends; null for a user of the platform. */
  expiresAt: string | null;
  /** The user's role, if their token has one. */
  role: string | null;
  scopes: ReadonlySet<string>;
  /** It may change nothing, also where a scope would allow it. */
  readOnly: boolean;
  theme: Partial<Theme>;
  /** The path of the console to start with. */
  view: string | null;
}

export type SessionState =
  | { status: "starting" }
  /** The parent page has been asked for a token. */
  | { status: "waiting" }
  | { status: "open"; session: Session }
  | { status: "ended"; reason: "none" | "expired"; returnUrl: string | null }
  | { status: "failed"; error: unknown };

// The token is in memory only, inside the client: never in storage, nor in an address.
let client: Patchbay | null = null;
let state: SessionState = { status: "starting" };
let returnUrl: string | null = null;
// How many tokens there were: only the last one counts, whenever the answers come.
let tokens = 0;
const listeners = new Set<() => void>();

/** What was read; it lasts as long as the session. The SDK's client already repeats what failed for a moment. */
export const queryClient = new QueryClient({
  queryCache: new QueryCache({ onError: endIfRefused }),
  mutationCache: new MutationCache({ onError: endIfRefused }),
  defaultOptions: { queries: { retry: false, staleTime: 10_000 } },
});

/** The client of the open session. */
export function api(): Patchbay {
  if (client === null) throw new Error("No session is open.");
  return client;
}

/** Open the session: by a one-time code, by the parent's token, or say that there is none. */
export async function start(code: string | null): Promise<void> {
  onParentToken((token) => void open(token, null, null));
  if (code !== null) {
    try {
      const session = await exchange(code);
      returnUrl = session.returnUrl;
      await open(session.token, session.view, session.theme);
    } catch (error) {
      set({ status: "failed", error });
    }
  } else if (import.meta.env.DEV && import.meta.env.VITE_TOKEN) {
    await open(import.meta.env.VITE_TOKEN, null, null);
  } else if (isEmbedded) {
    set({ status: "waiting" });
    tellParent({ type: "patchbay:ready" });
  } else {
    set({ status: "ended", reason: "none", returnUrl });
  }
}

/** The token is no longer valid: forget it. */
export function end(): void {
  if (state.status === "ended") return;
  client = null;
  queryClient.clear();
  tellParent({ type: "patchbay:session-ended" });
  set({ status: "ended", reason: "expired", returnUrl });
}

/** End the session if this is the answer to a token that is no longer valid. */
function endIfRefused(error: unknown): void {
  if (error instanceof ApiError && error.status === 401) end();
}

export function useSessionState(): SessionState {
  return useSyncExternalStore(subscribe, () => state);
}

/** The open session. Everything below the layout has one. */
export function useSession(): Session {
  const current = useSessionState();
  if (current.status !== "open") throw new Error("No session is open.");
  return current.session;
}

/** Whether the session allows what needs this scope, or each of these. Hide what it does not allow. */
export function useCan(...scopes: string[]): boolean {
  const current = useSessionState();
  return current.status === "open" && scopes.every((scope) => current.session.scopes.has(scope));
}

/** What a session may read. Pages that were shown with other rights do not stay. */
export function rightsOf({ workspaceId, scopes }: { workspaceId: string; scopes: Iterable<string> }): string {
  return [workspaceId, ...scopes].join(" ");
}

async function open(token: string, view: string | null, theme: Theme | null): Promise<void> {
  const candidate = new Patchbay({ apiKey: token, baseUrl: location.origin });
  tokens += 1;
  const number = tokens;
  try {
    const me = await candidate.me.get();
    if (number !== tokens) return;
    if (state.status === "open" && rightsOf(state.session) !== rightsOf(me)) queryClient.clear();
    client = candidate;
    returnUrl = me.session?.returnUrl ?? returnUrl;
    set({
      status: "open",
      session: {
        workspaceId: me.workspaceId,
        who: me.session?.label ?? me.id,
        id: me.id,
        sessionId: me.session?.id ?? null,
        expiresAt: me.session?.expiresAt ?? null,
        role: me.role,
        scopes: new Set(me.scopes),
        readOnly: me.session?.readOnly ?? false,
        theme: theme ?? me.session?.theme ?? {},
        view: view ?? (state.status === "open" ? state.session.view : null),
      },
    });
  } catch (error) {
    if (number !== tokens) return;
    if (error instanceof ApiError && error.status === 401) end();
    else set({ status: "failed", error });
  }
}

function set(next: SessionState): void {
  state = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
