/** The content of a meta tag that the server wrote into the page. */
function meta(name: string): string {
  return document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? "";
}

/** The nonce that this response's Content-Security-Policy allows for style elements. It can look like a placeholder. */
export const styleNonce = meta("csp-nonce");

/** The origins whose pages may frame this one. `*` is left out: the console must not accept a token from any origin. */
export const frameAncestors: readonly string[] = meta("frame-ancestors")
  .split(/\s+/)
  .filter((origin) => /^https?:\/\/[^*]+$/.test(origin));

export const isEmbedded = window.parent !== window;
