const STATUSES = new Set([408, 500, 502, 503, 504]);
const BASE_MS = 500;
const MAX_BACKOFF_MS = 8_000;
const MAX_WAIT_MS = 60_000;

/** Whether to retry after a response. `repeatable` means that repeating the request has no further effect. */
export function isRetryable(status: number, headers: Headers, repeatable: boolean): boolean {
  if (status === 429) return true; // it was rejected before it had an effect
  // 409 with Retry-After: the first request with the same Idempotency-Key is still running.
  return repeatable && (STATUSES.has(status) || (status === 409 && headers.has("retry-after")));
}

/**
 * The milliseconds to wait after attempt number `attempt` (from 1), or null if Retry-After is longer than a minute.
 * Without Retry-After: 500 ms, doubled each time, at most 8 s, minus random jitter of up to half.
 */
export function delayMs(attempt: number, headers: Headers | null, now: number, random = Math.random): number | null {
  const requested = retryAfterMs(headers?.get("retry-after") ?? null, now);
  if (requested !== null) return requested <= MAX_WAIT_MS ? requested * (1 + 0.1 * random()) : null;
  return Math.min(BASE_MS * 2 ** (attempt - 1), MAX_BACKOFF_MS) * (1 - 0.5 * random());
}

/** Parses both forms of the header (RFC 9110, section 10.2.3). */
function retryAfterMs(text: string | null, now: number): number | null {
  if (text === null) return null;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const time = Date.parse(text);
  return Number.isNaN(time) ? null : Math.max(time - now, 0);
}
