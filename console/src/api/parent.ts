import { frameAncestors, isEmbedded } from "./page";

/** Messages to the page that embeds the console. They contain no secrets. */
export type ToParent =
  | { type: "patchbay:ready" }
  | { type: "patchbay:height"; height: number }
  | { type: "patchbay:navigate"; path: string }
  | { type: "patchbay:session-ended" };

/** Posts a message to the parent. The browser delivers it only if the parent's origin may frame the console. */
export function tellParent(message: ToParent): void {
  if (!isEmbedded) return;
  for (const origin of frameAncestors) window.parent.postMessage(message, origin);
}

/** Calls `receive` with each token that the parent sends: `{type: "patchbay:token", token}`. */
export function onParentToken(receive: (token: string) => void): void {
  window.addEventListener("message", ({ source, origin, data }: MessageEvent<unknown>) => {
    if (source !== window.parent || !isEmbedded || !frameAncestors.includes(origin)) return;
    const { type, token } = (data ?? {}) as { type?: unknown; token?: unknown };
    if (type === "patchbay:token" && typeof token === "string" && /^[!-~]{1,8192}$/.test(token)) receive(token);
  });
}

/** Tells the parent the height that the page needs, whenever it changes. */
export function reportHeight(): void {
  if (!isEmbedded) return;
  let last = 0;
  new ResizeObserver(() => {
    const height = Math.ceil(document.body.getBoundingClientRect().height);
    if (height !== last) tellParent({ type: "patchbay:height", height });
    last = height;
  }).observe(document.body);
}
