const STATUSES = new Set([408, 500, 502, 503, 504]);
const BASE_MS = 500;
const MAX_BACKOFF_MS = 8_000;
const MAX_WAIT_MS = 60_000;

/** Whether a response means "try again". `repeatable`: a repeat has no other effect than one request. */
export function isRetryable(status: number, headers: Headers, repeatable: boolean): boolean {
  if (status === 429) return true; // it was refused before it had an effect
  // 409 with Retry-After: the first request with the same Idempotency-Key is still running.
  return repeatable && (STATUSES.has(status) || (status === 409 && headers.has("retry-after")));
}

/**
 * Milliseconds before attempt number `attempt` + 1 (the first is 1), or null if Retry-After asks for longer than a
 * minute. Without Retry-After: 500 ms, doubled each time, at most 8 s, of which up to half is left to chance.
 */
export function delayMs(attempt: number, headers: Headers | null, now: number, random = Math.random): number | null {
  const requested = retryAfterMs(headers?.get("retry-after") ?? null, now);
  if (requested !== null) return requested <= MAX_WAIT_MS ? requested * (1 + 0.1 * random()) : null;
  return Math.min(BASE_MS * 2 ** (attempt - 1), MAX_BACKOFF_MS) * (1 - 0.5 * random());
}

/** Both forms of the header (RFC 9110, 10.2.3). */
function retryAfterMs(text: string | null, now: number): number | null {
  if (text === null) return null;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const time = Date.parse(text);
  return Number.isNaN(time) ? null : Math.max(time - now, 0);
}
