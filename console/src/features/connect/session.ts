import { httpWith } from "@api/http";
import { RETURN_PATH, type Redirect } from "@api/providerWindow";
import type { Authorization, ConnectableIntegration, Connection, ConnectPage } from "@sdk/generated/models";
import type { Http } from "@sdk/http";
import { useCallback, useEffect, useState } from "react";

export type Loaded =
  | { status: "loading" }
  | { status: "loaded"; session: ConnectPage }
  | { status: "failed"; error: unknown };

/** Requests with the link's token, which opens only the routes that a connection needs. */
export function connectClient(token: string): Http {
  return httpWith(token);
}

/** What the link is for. */
export function useConnectSession(client: Http | null): { loaded: Loaded; reload: () => void } {
  const [loaded, setLoaded] = useState<Loaded>({ status: "loading" });
  const load = useCallback(
    (signal?: AbortSignal) => {
      if (client === null) return;
      setLoaded({ status: "loading" });
      client
        .request<ConnectPage>("GET", "/api/connect/session", { options: { signal } })
        .then((session) => setLoaded({ status: "loaded", session }))
        .catch((error: unknown) => signal?.aborted || setLoaded({ status: "failed", error }));
    },
    [client],
  );
  useEffect(() => {
    const stop = new AbortController();
    load(stop.signal);
    return () => stop.abort();
  }, [load]);
  return { loaded, reload: () => load() };
}

/** What people call the provider: its own name, or the integration's if Patchbay does not know the provider. */
export function labelOf({ name, provider, providerName }: ConnectableIntegration): string {
  return providerName === provider ? name : providerName;
}

/** Start a flow. The link itself decides the scopes and the connection's name. */
export function initiate(client: Http, { id, redirectUri }: ConnectableIntegration): Promise<Authorization> {
  return client.request<Authorization>("POST", "/api/integrations/{id}/oauth/initiate", {
    path: { id },
    body: { redirectUri, returnUrl: location.origin + RETURN_PATH },
    idempotent: true,
  });
}

export function complete(client: Http, parameters: Redirect): Promise<Connection> {
  return client.request<Connection>("POST", "/api/integrations/oauth/callback", { body: parameters, idempotent: true });
}

/** Connect with credentials that the account's owner has. */
export function connectWith(client: Http, id: string, credentials: Record<string, unknown>): Promise<Connection> {
  return client.request<Connection>("POST", "/api/integrations/{id}/connections", {
    path: { id },
    body: { credentials },
    idempotent: true,
  });
}
