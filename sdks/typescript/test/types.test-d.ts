// Compiled by `npm run types`, but not run: what the compiler must accept, infer and reject.
import {
  ApiError,
  type Event,
  type FeedItem,
  type FieldError,
  follow,
  Patchbay,
  type PostPublishedData,
  type ReplayPreview,
  type Task,
  type UnknownEvent,
  Verifier,
  verify,
  type Webhook,
  type WebhookWithSecret,
} from "../src/index.js";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Checks that the type of the value is exactly `Expected`. */
declare function expectType<Expected>(): <Actual>(value: Actual, same: Same<Actual, Expected>) => void;

const client = new Patchbay({ apiKey: "sk_live_x", baseUrl: "https://patchbay.example" });

// Bodies: required fields, unknown fields, wrong values.
export const created = await client.webhooks.create({ name: "n", url: "https://r.example/", eventTypes: ["*"] });
expectType<WebhookWithSecret>()(created, true);
expectType<string>()(created.secret, true);
// @ts-expect-error: eventTypes is missing
void client.webhooks.create({ name: "n", url: "https://r.example/" });
// @ts-expect-error: there is no such field
void client.webhooks.create({ name: "n", eventTypes: ["*"], colour: "red" });
// @ts-expect-error: names are those of the API
void client.webhooks.create({ name: "n", event_types: ["*"] });
void client.webhooks.create({ name: "n", eventTypes: ["*"], filters: [{ path: "network", op: "equals", value: "x" }] });
// @ts-expect-error: there is no such operator
void client.webhooks.create({ name: "n", eventTypes: ["*"], filters: [{ path: "network", op: "like", value: "x" }] });
// @ts-expect-error: the body is required
void client.webhooks.create();
// @ts-expect-error: an idempotency key is an option, because the client sends it as a header
void client.events.publish({ type: "POST_PUBLISHED", data: {}, idempotencyKey: "k" });
void client.events.publish({ type: "POST_PUBLISHED", data: {} }, { idempotencyKey: "k" });
// @ts-expect-error: a read has no idempotency key
void client.webhooks.get("whk_1", { idempotencyKey: "k" });
// @ts-expect-error: a new webhook has no version
void client.webhooks.create({ name: "n", eventTypes: ["*"] }, { ifMatch: 1 });
void client.webhooks.update("whk_1", {}, { ifMatch: 1 });

// Queries.
void client.webhooks.list({ status: "DISABLED", limit: 5 }, { signal: AbortSignal.timeout(1) });
// @ts-expect-error: there is no such status
void client.webhooks.list({ status: "BROKEN" });
// @ts-expect-error: there is no such parameter
void client.webhooks.list({ integration: "int_1" });

// Lists.
for await (const webhook of client.webhooks.list()) expectType<Webhook>()(webhook, true);
const page = await client.webhooks.list();
expectType<Webhook[]>()(page.items, true);
expectType<string | null>()(page.nextCursor, true);
// @ts-expect-error: only a new webhook has a secret
page.items[0]?.secret;

// Events.
export function receive(event: Event): string {
  if (event.type === "POST_PUBLISHED") {
    expectType<PostPublishedData>()(event.data, true);
    expectType<string>()(event.data.postId, true);
    // @ts-expect-error: this is a field of other events
    event.data.decision;
  }
  // @ts-expect-error: there is no such event type
  if (event.type === "POST_EXPLODED") return "";
  switch (event.type) {
    case "CAMPAIGN_STARTED":
      return event.data.campaignId;
    case "POST_FAILED":
      return event.data.postId;
  }
  return event.id;
}
export function leftOver(event: Extract<Event, { type: "POST_FAILED" }>): string {
  if (event.type === "POST_FAILED") return event.data.postId;
  const unknown: UnknownEvent = event;
  return unknown.type;
}
expectType<Event>()(verify(new Headers(), new Uint8Array(), "whsec_x"), true);
expectType<Event>()(verify({ "webhook-id": ["x"], other: undefined }, "{}", "whsec_x"), true);
// @ts-expect-error: the body must be the raw body
new Verifier("whsec_x").verify({}, { type: "POST_PUBLISHED" });

// Errors.
try {
  await client.health.get();
} catch (error) {
  if (error instanceof ApiError) {
    expectType<number>()(error.status, true);
    expectType<string>()(error.code, true);
    expectType<string | null>()(error.requestId, true);
    expectType<number | null>()(error.retryAfter, true);
    expectType<readonly FieldError[]>()(error.errors, true);
    // @ts-expect-error: an error is immutable
    error.status = 200;
  }
}

// Results with different types.
const replay = await client.webhooks.replay("whk_1", { since: "2026-11-01T00:00:00Z", dryRun: true });
expectType<ReplayPreview | Task>()(replay, true);
if ("id" in replay) expectType<Task>()(replay, true);
else expectType<ReplayPreview>()(replay, true);

// Feeds.
for await (const item of follow(client, "whk_1", { consumer: "billing" })) expectType<FeedItem>()(item, true);
// @ts-expect-error: the consumer is required
follow(client, "whk_1", {});
