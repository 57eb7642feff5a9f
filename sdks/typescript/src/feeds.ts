import type { Patchbay } from "./client.js";
import { ApiError, ConnectionFailed } from "./errors.js";
import type { FeedItem } from "./generated/models.js";
import { sleep } from "./sleep.js";

const WAIT_SECONDS = 20;
const MAX_PAUSE_MS = 30_000;

export interface FollowOptions {
  /** Whose position Patchbay remembers: a name of your choice. Consumers are independent of each other. */
  consumer: string;
  /** How many events one request loads at most, 1–100. Default: 20. */
  limit?: number;
  /** Seconds that a request waits for an event, 0–20. Default: 20. */
  wait?: number;
  /** Ends the loop, after the event that it is at. What is done is committed. */
  signal?: AbortSignal;
  /** Gets the error when Patchbay cannot be reached; the loop continues. Default: `console.warn`. */
  onInterruption?: (error: ApiError | ConnectionFailed) => void;
}

/**
 * The events of a pull webhook, oldest first, without end.
 *
 * An event is done when the loop asks for the next one; the event at which you leave the loop is not. What is done is
 * committed before the next request, and when the loop ends. After a crash, the next loop starts with the first event
 * that was not committed: an event may come twice, with the same `id`, and none is lost. While Patchbay cannot be
 * reached, the loop waits and tries again. Throws an `ApiError` for a problem that does not pass, such as a deleted
 * webhook. `verify(item.headers, item.payload, secret)` is the typed event of an item.
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
    // Where the loop was left, or could not commit. If this fails too, the next loop gets these events again.
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

/** 2 s, 4 s … 30 s, of which up to half is left to chance. */
function pauseMs(interruptions: number): number {
  return Math.min(1000 * 2 ** interruptions, MAX_PAUSE_MS) * (1 - 0.5 * Math.random());
}

function warn(error: Error): void {
  console.warn(`Reading the feed failed; trying again: ${error.message}`);
}
