/** What the server wrote into the page. */
function meta(name: string): string {
  return document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? "";
}

/** The nonce that this response's Content-Security-Policy allows for style elements. It can look like a placeholder. */
export const styleNonce = meta("csp-nonce");

/** The origins whose pages may frame this one. `*` is none of them: a token may not come from everywhere. */
export const frameAncestors: readonly string[] = meta("frame-ancestors")
  .split(/\s+/)
  .filter((origin) => /^https?:\/\/[^*]+$/.test(origin));

export const isEmbedded = window.parent !== window;
