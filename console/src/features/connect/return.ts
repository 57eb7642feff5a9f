/**
 * The page that a provider's redirect ends on, in a tab of its own. It hands the fragment's parameters to the tab of
 * the connect link, which waits for this state, and closes itself. It has no token.
 */
import { connect as t } from "@strings/connect";

const parameters = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
history.replaceState(null, "", location.pathname);
document.documentElement.style.font = "15px/1.5 system-ui, sans-serif";
document.body.style.padding = "48px 24px";

const message = document.getElementById("message")!;
const channel = new BroadcastChannel("patchbay:connect");
channel.onmessage = ({ data }: MessageEvent<{ type?: unknown; state?: unknown }>) => {
  // The waiting tab has it. A browser closes only tabs that a script opened.
  if (data.type !== "received" || data.state !== parameters.state) return;
  message.textContent = t.returned;
  window.close();
};
channel.postMessage({ type: "returned", parameters });
message.textContent = t.returning;
