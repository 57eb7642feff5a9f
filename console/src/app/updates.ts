/** Errors for missing parts of the console, which the server no longer has. */
const missing = new WeakSet<Error>();

/**
 * A page that was open during a deployment requests parts of the old version. Its error says what to do. The router's
 * own remedy is suppressed: it reloads the page, which loses the session, and writes into the browser's storage.
 */
export function watchUpdates(): void {
  window.addEventListener("vite:preloadError", ({ payload }) => {
    missing.add(payload);
    payload.message = `A part of the console did not load: ${payload.message}`;
  });
}

/** Whether the page failed to load a part of itself. */
export function isMissingPart(error: unknown): boolean {
  return error instanceof Error && missing.has(error);
}
