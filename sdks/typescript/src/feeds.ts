import type { Patchbay } from "./client.js";
import { ApiError, ConnectionFailed } from "./errors.js";
import type { FeedItem } from "./generated/models.js";
import { sleep } from "./sleep.js";

const WAIT_SECONDS = 20;
const MAX_PAUSE_MS = 30_000;

export interface FollowOptions {
  /** A name of your choice. Patchbay stores the position of each consumer separately. */
  consumer: string;
  /** The maximum number of events per request, from 1 to 100. Default: 20. */
  limit?: number;
  /** How long a request waits for an event, from 0 to 20 seconds. Default: 20. */
  wait?: number;
  /** Ends the loop after the current event. Processed events are committed. */
  signal?: AbortSignal;
  /** Called with the error when Patchbay cannot be reached. The loop continues. Default: `console.warn`. */
  onInterruption?: (error: ApiError | ConnectionFailed) => void;
}

/**
 * Yields the events of a pull webhook, oldest first, without end.
 *
 * An event counts as processed when the loop requests the next one; if you leave the loop early, the current event does
 * not. Processed events are committed before the next request and when the loop ends. After a crash, the next loop
 * starts at the first event that was not committed: no event is lost, but one can appear twice, with the same `id`. While
 * Patchbay cannot be reached, the loop waits and retries. Throws an `ApiError` for a permanent error, such as a deleted
 * webhook. `verify(item.headers, item.payload, secret)` returns the typed event of an item.
 */
export async function* follow(
  client: Pick<Patchbay, "webhooks">,
  webhookId: string,
  { consumer, limit = 20, wait = WAIT_SECONDS, signal, onInterruption = warn }: FollowOptions,
): AsyncGenerator<FeedItem, void, undefined> {
  let done: number | null = null;
  let committed: number | null = null;
  let interruptions = 0;

  async function commit(): Promise<void> {
    if (done === null || done === committed) return;
    const sequence: number = done;
    await client.webhooks.commitFeed(webhookId, { consumer, sequence });
    committed = sequence;
  }

  try {
    while (!signal?.aborted) {
      try {
        const start = done === null ? {} : { cursor: String(done) };
        const options = { timeoutMs: (wait + 10) * 1000, ...(signal && { signal }) };
        const feed = await client.webhooks.readFeed(webhookId, { consumer, limit, wait, ...start }, options);
        interruptions = 0;
        if (feed.truncated)
          console.warn("Patchbay: events of the feed are missing, because they are no longer stored.");
        for (const item of feed.items) {
          yield item;
          done = item.sequence;
          if (signal?.aborted) break;
        }
        await commit();
        if (feed.items.length === 0) await sleep(feed.nextPollMs, signal);
      } catch (error) {
        if (signal?.aborted) break;
        if (!isTemporary(error)) throw error;
        interruptions++;
        onInterruption(error);
        await sleep(pauseMs(interruptions), signal).catch(() => undefined);
      }
    }
  } finally {
    // After the loop was left or failed to commit. If this fails too, the next loop gets these events again.
    await commit().catch((error: unknown) => {
      if (!isTemporary(error)) throw error;
      onInterruption(error);
    });
  }
}

function isTemporary(error: unknown): error is ApiError | ConnectionFailed {
  if (error instanceof ApiError) return error.status >= 500 || error.status === 429;
  return error instanceof ConnectionFailed;
}

/** 2 s, 4 s … 30 s, minus random jitter of up to half. */
function pauseMs(interruptions: number): number {
  return Math.min(1000 * 2 ** interruptions, MAX_PAUSE_MS) * (1 - 0.5 * Math.random());
}

function warn(error: Error): void {
  console.warn(`Reading the feed failed; retrying: ${error.message}`);
}
