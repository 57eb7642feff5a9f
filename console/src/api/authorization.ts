import { useEffect, useRef, useState } from "react";
import { openProviderWindow, type ProviderWindow, type Redirect } from "./providerWindow";

export type Authorization<T> =
  | { status: "idle" }
  /** The flow is being started. */
  | { status: "starting" }
  /** The provider's page is open. If the browser blocked the window, the user must open `url` manually. */
  | { status: "waiting"; url: string; isBlocked: boolean }
  /** The provider's answer is being exchanged for a connection. */
  | { status: "completing" }
  | { status: "done"; result: T }
  /** `isDenied`: the user, or the provider's policy, refused access. */
  | { status: "failed"; error: unknown; isDenied: boolean };

interface Flow<T> {
  start: () => Promise<{ authorizationUrl: string; state: string }>;
  /** Completes the flow with all parameters of the provider's redirect. */
  complete: (parameters: Redirect) => Promise<T>;
  onDone?: (result: T) => void;
}

/** An OAuth flow that shows the provider's page in a separate window. */
export function useAuthorization<T>({ start, complete, onDone }: Flow<T>) {
  const [state, setState] = useState<Authorization<T>>({ status: "idle" });
  const current = useRef<ProviderWindow | null>(null);
  useEffect(() => () => current.current?.stop(), []);

  async function finish(parameters: Redirect): Promise<void> {
    setState({ status: "completing" });
    try {
      const result = await complete(parameters);
      setState({ status: "done", result });
      onDone?.(result);
    } catch (error) {
      setState({ status: "failed", error, isDenied: parameters.error === "access_denied" });
    }
  }

  /** Starts the flow. Call it in a click handler. */
  async function begin(): Promise<void> {
    current.current?.stop();
    const opened = openProviderWindow((parameters) => void finish(parameters));
    current.current = opened;
    setState({ status: "starting" });
    try {
      const { authorizationUrl, state: id } = await start();
      if (current.current !== opened) return;
      setState({ status: "waiting", url: authorizationUrl, isBlocked: !opened.show(authorizationUrl, id) });
    } catch (error) {
      opened.stop();
      if (current.current === opened) setState({ status: "failed", error, isDenied: false });
    }
  }

  function cancel(): void {
    current.current?.stop();
    current.current = null;
    setState({ status: "idle" });
  }

  return { state, begin, cancel };
}
