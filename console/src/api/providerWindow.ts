import { isEmbedded } from "./page";

/** The page that a provider's redirect ends on. Without a redirect's parameters, it is the relay below. */
export const RETURN_PATH = "/connect/return";

/** The channel between the pages of this origin that wait for a provider, and the return page. */
export const CHANNEL = "patchbay:connect";

/** The parameters of a provider's redirect. */
export type Redirect = Readonly<Record<string, string>>;

/** What the pages of this origin tell each other. None has a token. */
export type ConnectMessage =
  /** The return page has a redirect. */
  | { type: "returned"; parameters: Redirect }
  /** The page that waited for this state has it. */
  | { type: "received"; state: string }
  /** The relay is ready for a provider's address. */
  | { type: "relay" }
  /** The relay may open this address, and waits for this state. */
  | { type: "authorize"; url: string; state: string };

export interface ProviderWindow {
  /** Show the provider's page. Returns whether there is a window for it. */
  show: (url: string, state: string) => boolean;
  /** Stop to wait. */
  stop: () => void;
}

const FEATURES = "popup,width=620,height=780";

/**
 * Open a window for a provider's page, and wait for its redirect. Call it in the handler of a click, or the browser
 * blocks it. The provider's page gets no reference to this one.
 *
 * A page inside another site's frame has a BroadcastChannel of its own, which the return page does not reach. It
 * opens the return page as a relay: a window of this origin, which opens the provider's page and passes its redirect
 * on.
 */
export function openProviderWindow(onReturn: (parameters: Redirect) => void): ProviderWindow {
  return isEmbedded ? openRelay(onReturn) : openDirectly(onReturn);
}

function openDirectly(onReturn: (parameters: Redirect) => void): ProviderWindow {
  const opened = openBlank();
  let stop = () => {};
  return {
    show(url, state) {
      stop();
      stop = waitFor(state, onReturn);
      return opened !== null && go(opened, url);
    },
    stop: () => {
      stop();
      closeIfBlank(opened);
    },
  };
}

function openRelay(onReturn: (parameters: Redirect) => void): ProviderWindow {
  const relay = window.open(RETURN_PATH, "", FEATURES);
  let isReady = false;
  let wanted: { url: string; state: string } | null = null;
  const tell = () => {
    if (isReady && wanted)
      relay?.postMessage({ type: "authorize", ...wanted } satisfies ConnectMessage, location.origin);
  };
  const listen = ({ source, origin, data }: MessageEvent<ConnectMessage>) => {
    if (source !== relay || origin !== location.origin) return;
    if (data.type === "relay") {
      isReady = true;
      tell();
    } else if (data.type === "returned" && data.parameters.state === wanted?.state) {
      onReturn(data.parameters);
    }
  };
  window.addEventListener("message", listen);
  return {
    show(url, state) {
      wanted = { url, state };
      tell();
      return relay !== null && !relay.closed;
    },
    stop() {
      window.removeEventListener("message", listen);
      relay?.close();
    },
  };
}

/** An empty window of this origin, before its address is known. */
export function openBlank(): Window | null {
  const opened = window.open("", "", FEATURES);
  if (opened) opened.opener = null;
  return opened;
}

/** Navigate a window that was opened empty. */
export function go(opened: Window, url: string): boolean {
  if (opened.closed || !isHttp(url)) return false;
  opened.location.replace(url);
  return true;
}

/** Wait for the redirect with this state. Returns what ends the wait. */
export function waitFor(state: string, onReturn: (parameters: Redirect) => void): () => void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = ({ data }: MessageEvent<ConnectMessage>) => {
    if (data.type !== "returned" || data.parameters.state !== state) return;
    channel.postMessage({ type: "received", state } satisfies ConnectMessage);
    channel.close();
    onReturn(data.parameters);
  };
  return () => channel.close();
}

/** Whether it is an address that a browser may be sent to: not `javascript:`, nor `data:`. */
export function isHttp(url: string): boolean {
  return /^https?:\/\//i.test(url);
}

/** A window that shows a provider's page is the user's. */
function closeIfBlank(opened: Window | null): void {
  try {
    if (opened?.location.href === "about:blank") opened.close();
  } catch {
    // It shows a page of another origin.
  }
}
