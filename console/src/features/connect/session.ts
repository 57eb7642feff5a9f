import { RETURN_PATH } from "@api/providerWindow";
import { Patchbay } from "@sdk/client";
import type { Authorization, ConnectableIntegration, ConnectPage } from "@sdk/generated/models";
import { useCallback, useEffect, useState } from "react";

export type Loaded =
  | { status: "loading" }
  | { status: "loaded"; session: ConnectPage }
  | { status: "failed"; error: unknown };

/** A client with the link's token, which allows only the calls that are needed to connect an account. */
export function connectClient(token: string): Patchbay {
  return new Patchbay({ apiKey: token, baseUrl: location.origin });
}

/** What the link is for. */
export function useConnectSession(client: Patchbay | null): { loaded: Loaded; reload: () => void } {
  const [loaded, setLoaded] = useState<Loaded>({ status: "loading" });
  const load = useCallback(
    (signal?: AbortSignal) => {
      if (client === null) return;
      setLoaded({ status: "loading" });
      client.connectSessions
        .getPage({ signal })
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

/** The display name of the provider: its own name, or the integration's if Patchbay does not know the provider. */
export function labelOf({ name, provider, providerName }: ConnectableIntegration): string {
  return providerName === provider ? name : providerName;
}

/** Starts a flow. The link determines the scopes and the connection's name. Only OAuth has a `redirectUri`. */
export function initiate(client: Patchbay, { id, redirectUri }: ConnectableIntegration): Promise<Authorization> {
  return client.connections.initiate(id, { redirectUri: redirectUri!, returnUrl: location.origin + RETURN_PATH });
}
