/** The errors of parts of the console that the server no longer has. */
const missing = new WeakSet<Error>();

/**
 * A page that was open during a deployment asks for parts of the version before. Its error says what to do, instead of
 * the router's own remedy: that one reloads the page, which forgets the session, and writes into the browser's storage.
 */
export function watchUpdates(): void {
  window.addEventListener("vite:preloadError", ({ payload }) => {
    missing.add(payload);
    payload.message = `A part of the console did not load: ${payload.message}`;
  });
}

/** Whether a page could not load a part of itself. */
export function isMissingPart(error: unknown): boolean {
  return error instanceof Error && missing.has(error);
}
