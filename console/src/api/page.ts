/** What the server wrote into the page. An address or origin that it did not fill stays a placeholder, and counts for nothing. */
function meta(name: string): string {
  const content = document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? "";
  return content.startsWith("__") ? "" : content;
}

/** The nonce that this response's Content-Security-Policy allows for style elements. */
export const styleNonce = meta("csp-nonce");

/** The origins whose pages may frame this one. `*` is none of them: a token may not come from everywhere. */
export const frameAncestors: readonly string[] = meta("frame-ancestors")
  .split(/\s+/)
  .filter((origin) => /^https?:\/\/[^*]+$/.test(origin));

export const isEmbedded = window.parent !== window;
