import { isEmbedded } from "./page";

/** The page that a provider's redirect ends on. Without the redirect's parameters, it is the relay described below. */
export const RETURN_PATH = "/connect/return";

/** The channel between the pages of this origin that wait for a provider and the return page. */
export const CHANNEL = "patchbay:connect";

/** The parameters of a provider's redirect. */
export type Redirect = Readonly<Record<string, string>>;

/** Messages between the pages of this origin. None contains a token. */
export type ConnectMessage =
  /** The return page has received a redirect. */
  | { type: "returned"; parameters: Redirect }
  /** The page that waited for this state has received its redirect. */
  | { type: "received"; state: string }
  /** The relay is ready for a provider's URL. */
  | { type: "relay" }
  /** Asks the relay to open this URL and to wait for this state. */
  | { type: "authorize"; url: string; state: string };

export interface ProviderWindow {
  /** Shows the provider's page. Returns whether there is a window for it. */
  show: (url: string, state: string) => boolean;
  /** Stops waiting. */
  stop: () => void;
}

const FEATURES = "popup,width=620,height=780";

/**
 * Opens a window for a provider's page, and waits for its redirect. Call it in a click handler, or the browser blocks
 * the window. The provider's page gets no reference to this one.
 *
 * A page inside another site's frame has a separate BroadcastChannel, which the return page cannot reach. Such a page
 * opens the return page as a relay: a window of this origin that opens the provider's page and forwards its
 * redirect.
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

/** Opens an empty window of this origin, before its URL is known. */
export function openBlank(): Window | null {
  const opened = window.open("", "", FEATURES);
  if (opened) opened.opener = null;
  return opened;
}

/** Navigates a window that was opened empty. Returns whether it did. */
export function go(opened: Window, url: string): boolean {
  if (opened.closed || !isHttp(url)) return false;
  opened.location.replace(url);
  return true;
}

/** Waits for the redirect with this state. Returns a function that stops waiting. */
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

/** Whether it is safe to send the browser to this URL: `javascript:` and `data:` URLs are not. */
export function isHttp(url: string): boolean {
  return /^https?:\/\//i.test(url);
}

/** Closes only a blank window: a window that shows a provider's page belongs to the user. */
function closeIfBlank(opened: Window | null): void {
  try {
    if (opened?.location.href === "about:blank") opened.close();
  } catch {
    // The window shows a page of another origin.
  }
}
