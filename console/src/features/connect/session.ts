import { Http } from "@sdk/http";
import { useEffect, useState } from "react";

/** `GET /api/connect/session`: what the page of a connect link shows. */
export interface ConnectSession {
  workspaceId: string;
  workspaceName: string | null;
  requestedBy: string | null;
  expiresAt: string;
  connectionId: string | null;
  returnUrl: string | null;
  integrations: { id: string; name: string; provider: string; label: string; authType: string }[];
}

/** Requests with the link's token, which opens only the routes that a connection needs. */
export function connectClient(token: string): Http {
  return new Http({
    baseUrl: location.origin,
    token,
    maxRetries: 2,
    timeoutMs: 30_000,
    fetch: (url, init) => fetch(url, init),
  });
}

export type Loaded =
  | { status: "loading" }
  | { status: "loaded"; session: ConnectSession }
  | { status: "failed"; error: unknown };

/** What the link is for. */
export function useConnectSession(client: Http | null): Loaded {
  const [loaded, setLoaded] = useState<Loaded>({ status: "loading" });
  useEffect(() => {
    if (client === null) return;
    const stop = new AbortController();
    client
      .request<ConnectSession>("GET", "/api/connect/session", { options: { signal: stop.signal } })
      .then((session) => setLoaded({ status: "loaded", session }))
      .catch((error: unknown) => stop.signal.aborted || setLoaded({ status: "failed", error }));
    return () => stop.abort();
  }, [client]);
  return loaded;
}
