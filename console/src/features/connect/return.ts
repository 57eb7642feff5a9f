/**
 * The page that a provider's redirect ends on, in a separate window. It passes the fragment's parameters to the page
 * that waits for their state, and closes itself. It has no token.
 *
 * Without parameters, it is the relay of a page in another site's frame: see `openProviderWindow`.
 */
import "./return.css";
import { CHANNEL, type ConnectMessage, go, openBlank, type Redirect, waitFor } from "@api/providerWindow";
import { connect as t } from "@strings/connect";

/** If no page has taken the parameters after this time, none is waiting for them. */
const PATIENCE_MS = 4_000;

const parameters: Redirect = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
history.replaceState(null, "", location.pathname);

const message = document.getElementById("message")!;

if (parameters.state) handOver(parameters.state);
else if (window.opener) relay(window.opener as Window);
else message.textContent = t.return.nothing;

function handOver(state: string): void {
  const channel = new BroadcastChannel(CHANNEL);
  const lost = setTimeout(() => {
    message.textContent = t.return.lost;
  }, PATIENCE_MS);
  channel.onmessage = ({ data }: MessageEvent<ConnectMessage>) => {
    if (data.type !== "received" || data.state !== state) return;
    clearTimeout(lost);
    leave();
  };
  message.textContent = t.return.passing;
  channel.postMessage({ type: "returned", parameters } satisfies ConnectMessage);
}

function relay(opener: Window): void {
  const tell = (told: ConnectMessage) => opener.postMessage(told, location.origin);
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = t.return.proceed;
  window.addEventListener("message", ({ source, origin, data }: MessageEvent<ConnectMessage>) => {
    if (source !== opener || origin !== location.origin || data.type !== "authorize") return;
    const { url, state } = data;
    let stop = () => {};
    button.onclick = () => {
      stop();
      stop = waitFor(state, (returned) => {
        tell({ type: "returned", parameters: returned });
        leave();
      });
      const opened = openBlank();
      message.textContent = opened && go(opened, url) ? t.return.waiting : t.return.blocked;
    };
    message.textContent = t.return.ready(new URL(url).host);
    message.after(button);
    button.focus();
  });
  message.textContent = t.return.starting;
  tell({ type: "relay" });
}

/** Browsers close only windows that a script opened. In other windows, the text stays. */
function leave(): void {
  message.textContent = t.return.done;
  document.querySelector("button")?.remove();
  window.close();
}
