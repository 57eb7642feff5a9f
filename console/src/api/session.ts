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
  /** The display name: the session's label, or the caller's ID. */
  who: string;
  /** The caller's ID, as in `createdBy`. */
  id: string;
  /** The portal session's ID; null for a user of the platform. */
  sessionId: string | null;
  /** When the portal session ends; null for a user of the platform. */
  expiresAt: string | null;
  /** The user's role, if their token has one. */
  role: string | null;
  scopes: ReadonlySet<string>;
  /** The session may change nothing, even if a scope would allow it. */
  readOnly: boolean;
  theme: Partial<Theme>;
  /** The console path to open first. */
  view: string | null;
}

export type SessionState =
  | { status: "starting" }
  /** The parent page has been asked for a token. */
  | { status: "waiting" }
  | { status: "open"; session: Session }
  | { status: "ended"; reason: "none" | "expired"; returnUrl: string | null }
  | { status: "failed"; error: unknown };

// The token is kept only in memory, inside the client: never in storage or in a URL.
let client: Patchbay | null = null;
let state: SessionState = { status: "starting" };
let returnUrl: string | null = null;
// The number of tokens so far. Only the latest one counts, in whatever order the responses arrive.
let tokens = 0;
const listeners = new Set<() => void>();

/** Cached responses, kept for the session. It does not retry, because the SDK's client retries temporary errors. */
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

/** Opens the session with a one-time code or the parent's token, or reports that there is neither. */
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

/** Ends the session and forgets its token, which is no longer valid. */
export function end(): void {
  if (state.status === "ended") return;
  client = null;
  queryClient.clear();
  tellParent({ type: "patchbay:session-ended" });
  set({ status: "ended", reason: "expired", returnUrl });
}

/** Ends the session if the error means that the token is no longer valid. */
function endIfRefused(error: unknown): void {
  if (error instanceof ApiError && error.status === 401) end();
}

export function useSessionState(): SessionState {
  return useSyncExternalStore(subscribe, () => state);
}

/** The open session. It always exists below the layout. */
export function useSession(): Session {
  const current = useSessionState();
  if (current.status !== "open") throw new Error("No session is open.");
  return current.session;
}

/** Whether the session has all of these scopes. Hide what it does not allow. */
export function useCan(...scopes: string[]): boolean {
  const current = useSessionState();
  return current.status === "open" && scopes.every((scope) => current.session.scopes.has(scope));
}

/** Identifies what a session may read. Pages that were loaded with other permissions are discarded. */
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
