import { Webhook } from "standardwebhooks";
import { VerificationError } from "./errors.js";
import type { EventTypes } from "./generated/models.js";

/**
 * An event of a type that this release of the SDK does not know. `Event` excludes it, because otherwise a comparison of
 * `type` could not narrow the event. After all comparisons, use `const unknown: UnknownEvent = event`.
 */
export interface UnknownEvent {
  id: string;
  type: string;
  timestamp: string;
  data: Record<string, unknown>;
}

/** An event. `event.type` determines the type of `event.data`. */
export type Event = EventTypes[keyof EventTypes];

export type HeadersLike = Headers | Record<string, string | string[] | undefined> | Iterable<readonly [string, string]>;

/**
 * Verifies requests with a webhook's signing secret (`whsec_…`). Pass several secrets while you replace a
 * webhook: one matching secret is enough.
 */
export class Verifier {
  readonly #webhooks: Webhook[];

  constructor(...secrets: string[]) {
    if (secrets.length === 0 || secrets.some((secret) => !secret)) {
      throw new TypeError("No signing secret: pass the webhook's secret (whsec_…).");
    }
    this.#webhooks = secrets.map((secret) => new Webhook(secret));
  }

  /**
   * Returns the event of a request. Throws `VerificationError`: respond with 400.
   *
   * `body` is the raw body, because parsing and serializing it changes it. Requests whose timestamp differs from
   * the current time by more than five minutes are rejected, because they could be replays. If your response is
   * lost, Patchbay sends the event again with the same `webhook-id` header.
   */
  verify(headers: HeadersLike, body: string | Uint8Array): Event {
    const names = lowered(headers);
    const text = decoded(body);
    let failure: unknown;
    for (const webhook of this.#webhooks) {
      try {
        webhook.verify(text, names, { jsonParse: false });
      } catch (error) {
        failure = error;
        continue;
      }
      return parseEvent(text);
    }
    const reason = failure instanceof Error ? failure.message : String(failure);
    throw new VerificationError(`Not verified: ${reason.replace(/\.$/, "")}.`, { cause: failure });
  }
}

/** Returns the event of a request, like `new Verifier(secret).verify(headers, body)`. */
export function verify(headers: HeadersLike, body: string | Uint8Array, secret: string): Event {
  return new Verifier(secret).verify(headers, body);
}

/** Parses an event from JSON, without verification. Throws `VerificationError` if it is not an event. */
export function parseEvent(text: string): Event {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw new VerificationError("The body is not JSON.", { cause });
  }
  if (typeof content !== "object" || content === null || typeof (content as { type?: unknown }).type !== "string") {
    throw new VerificationError("The body is not an event: it has no type.");
  }
  return content as Event;
}

function lowered(headers: HeadersLike): Record<string, string> {
  const entries = Symbol.iterator in headers ? headers : Object.entries(headers);
  const names: Record<string, string> = {};
  for (const [name, value] of entries) {
    if (value !== undefined) names[name.toLowerCase()] = Array.isArray(value) ? value.join(" ") : value;
  }
  return names;
}

function decoded(body: string | Uint8Array): string {
  if (typeof body === "string") return body;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch (cause) {
    throw new VerificationError("The body is not UTF-8.", { cause });
  }
}
