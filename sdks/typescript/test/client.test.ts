import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ApiError,
  ConnectionFailed,
  Patchbay,
  parseEvent,
  VerificationError,
  Verifier,
  verify,
  type Webhook,
} from "../src/index.js";
import { delayMs } from "../src/retry.js";
import { problem, QUICK, type Reply, scripted, URL_ } from "./scripted.js";
import { BODY, SECRET, signed } from "./signed.js";

const WEBHOOK = { id: "whk_1", name: "Posts", eventTypes: ["POST_PUBLISHED"], version: 1 };

test("a request has credentials, a body and an idempotency key", async () => {
  const { client, sent } = scripted({ status: 201, body: { ...WEBHOOK, secret: "whsec_x" } });
  const webhook = await client.webhooks.create({
    name: "Posts",
    url: "https://r.example/",
    eventTypes: ["POST_PUBLISHED"],
  });
  assert.equal(webhook.secret, "whsec_x");
  assert.equal(sent[0]!.url.href, `${URL_}/api/integrations/webhooks`);
  assert.equal(sent[0]!.headers.authorization, "Bearer sk_test");
  assert.match(sent[0]!.headers["idempotency-key"]!, /^[0-9a-f]{32}$/);
  assert.deepEqual(sent[0]!.body, { name: "Posts", url: "https://r.example/", eventTypes: ["POST_PUBLISHED"] });
});

test("iteration loads all pages, and awaiting a page loads one", async () => {
  const page = { items: [WEBHOOK], nextCursor: null };
  const { client, sent } = scripted(
    { body: { ...page, nextCursor: "c/2" } },
    { body: { items: [], nextCursor: "3" } },
    { body: page },
    { body: page },
  );
  const found: Webhook[] = [];
  for await (const webhook of client.webhooks.list({ limit: 1 })) found.push(webhook);
  assert.equal(found.length, 2);
  assert.deepEqual(
    sent.map((request) => request.url.search),
    ["?limit=1", "?limit=1&cursor=c%2F2", "?limit=1&cursor=3"],
  );
  const first = await client.webhooks.list();
  assert.equal(first.items[0]!.name, "Posts");
});

test("an ID cannot lead to another path", async () => {
  const { client, sent } = scripted();
  for (const id of [".", ".."]) await assert.rejects(client.connections.delete("int_1", id), /must not be "\./);
  assert.deepEqual(sent, [], "URLs resolve dot segments: this would delete the integration");
});

test("an impossible key is refused and not repeated, and space around a key is ignored", async () => {
  for (const apiKey of ["sk_test_a\nsecret", "sk_test_\u0000secret", "sk_test secret", "sk_test_s\u00e9cret"]) {
    const isDiscreet = (error: Error) => error.message.includes("API key") && !error.message.includes("cret");
    assert.throws(() => new Patchbay({ apiKey, baseUrl: URL_ }), isDiscreet);
  }
  const authorization: unknown[] = [];
  const fetch = async (_: string, { headers }: RequestInit) => {
    authorization.push((headers as Record<string, string>).authorization);
    return new Response("{}");
  };
  await new Patchbay({ apiKey: "sk_test\r\n", baseUrl: URL_, fetch }).me.get();
  assert.deepEqual(authorization, ["Bearer sk_test"]);
});

test("path parameters are escaped and not empty", async () => {
  const { client, sent } = scripted(problem(404, "not_found"));
  await assert.rejects(client.webhooks.get("../api-keys?x"), ApiError);
  assert.equal(sent[0]!.url.pathname, "/api/integrations/webhooks/..%2Fapi-keys%3Fx");
  await assert.rejects(client.webhooks.get(""), /id must not be empty/);
});

test("a problem becomes a typed error", async () => {
  const errors = [{ path: "url", message: "must start with https://" }];
  const { client, sent } = scripted(problem(422, "validation_failed", { errors }));
  await assert.rejects(client.webhooks.update("whk_1", { url: "ftp://x" }, { ifMatch: 3 }), (error) => {
    assert(error instanceof ApiError);
    assert.deepEqual(
      [error.status, error.code, error.requestId, error.errors],
      [422, "validation_failed", "r1", errors],
    );
    assert.equal(error.message, "A title: Do this. (422 validation_failed)\n  url: must start with https://");
    return true;
  });
  assert.equal(sent[0]!.headers["if-match"], '"3"');
});

test("the response of a proxy is still an API error", async () => {
  for (const body of ["<html>", "", "[1]"]) {
    const { client } = scripted(...Array<Reply>(3).fill({ status: 502, body, ...QUICK }));
    await assert.rejects(
      client.webhooks.get("whk_1"),
      (error) => error instanceof ApiError && error.code === "unknown",
    );
  }
  const { client } = scripted({ status: 200, body: "<html>" });
  await assert.rejects(client.webhooks.get("whk_1"), /baseUrl/);
});

const RETRIED: [string, Reply, boolean][] = [
  ["429", { ...problem(429, "rate_limited"), ...QUICK }, true],
  ["503", { status: 503, body: "", ...QUICK }, true],
  ["500", { ...problem(500, "internal"), ...QUICK }, true],
  ["first request in progress", { ...problem(409, "conflict"), ...QUICK }, true],
  ["conflict", problem(409, "conflict"), false],
  ["not found", problem(404, "not_found"), false],
  ["response lost", { fails: new TypeError("fetch failed") }, true],
];
for (const [name, reply, isRetried] of RETRIED) {
  test(`retries with the same key: ${name}`, async () => {
    const { client, sent } = scripted(reply, { status: 202, body: { id: "evt_1" } });
    const published = client.events.publish({ type: "POST_PUBLISHED", data: {} });
    if (isRetried) assert.equal((await published).id, "evt_1");
    else await assert.rejects(published, ApiError);
    assert.equal(sent.length, isRetried ? 2 : 1);
    assert.equal(new Set(sent.map((request) => request.headers["idempotency-key"])).size, 1);
  });
}

test("a lost POST without an idempotency key is not repeated", async () => {
  const { client } = scripted({ fails: new TypeError("fetch failed") });
  await assert.rejects(client.apiKeys.verify({ key: "sk_live_x" }), ConnectionFailed);
});

test("a redirect is not followed", async () => {
  const { client, sent } = scripted({ status: 302, body: "", headers: { location: "https://elsewhere.example/" } });
  await assert.rejects(client.webhooks.get("whk_1"), (error) => error instanceof ApiError && error.status === 302);
  assert.equal(sent.length, 1);
});

test("Retry-After of more than a minute is an error at once", async () => {
  const { client } = scripted({ ...problem(429, "rate_limited"), headers: { "retry-after": "3600" } });
  await assert.rejects(client.webhooks.get("whk_1"), (error) => error instanceof ApiError && error.retryAfter === 3600);
});

test("an abort ends a request and its waits", async () => {
  const { client, sent } = scripted({ status: 503, body: "", headers: { "retry-after": "30" } });
  const signal = AbortSignal.timeout(20);
  await assert.rejects(client.webhooks.get("whk_1", { signal }), { name: "TimeoutError" });
  assert.equal(sent.length, 1);
  const slow = scripted({ hangs: true });
  await assert.rejects(slow.client.webhooks.get("whk_1", { signal: AbortSignal.timeout(20) }), {
    name: "TimeoutError",
  });
  const lost = scripted({ hangs: true });
  const options = { timeoutMs: 20 };
  await assert.rejects(lost.client.apiKeys.verify({ key: "sk_live_x" }, options), ConnectionFailed);
});

test("delays grow and honor both forms of Retry-After", () => {
  assert.deepEqual(
    [1, 2, 3, 9].map((attempt) => delayMs(attempt, null, 0, () => 0)),
    [500, 1000, 2000, 8000],
  );
  assert.equal(
    delayMs(1, new Headers({ "retry-after": "Thu, 01 Jan 1970 00:00:09 GMT" }), 4000, () => 0),
    5000,
  );
});

// ── events ──────────────────────────────────────────────────────────────────────────────────────────

const OTHER = `whsec_${btoa("another secret of 32 bytes......")}`;

test("verify returns the typed event", () => {
  const event = new Verifier(OTHER, SECRET).verify(signed(BODY), new TextEncoder().encode(BODY));
  assert(event.type === "POST_PUBLISHED");
  assert.equal(event.data.postId, "p1");
  for (const headers of [
    new Headers(signed(BODY)),
    Object.entries(signed(BODY)),
    new Map(Object.entries(signed(BODY))),
  ]) {
    assert.equal(verify(headers as Headers, BODY, SECRET).id, "evt_1");
  }
});

const FORGED: Record<string, [Record<string, string>, string | Uint8Array]> = {
  "another secret": [signed(BODY, OTHER), BODY],
  "a changed body": [signed(BODY), `${BODY} `],
  "six minutes old": [signed(BODY, SECRET, 360), BODY],
  "no headers": [{}, BODY],
  "no signature": [{ ...signed(BODY), "Webhook-Signature": "" }, BODY],
  "not base64": [{ ...signed(BODY), "Webhook-Signature": "v1,é" }, BODY],
  "bytes that are not UTF-8": [signed(BODY), new Uint8Array([255])],
  "signed, but not JSON": [signed("nope"), "nope"],
  "signed, but no event": [signed("[1]"), "[1]"],
};
for (const [name, [headers, body]] of Object.entries(FORGED)) {
  test(`verify refuses ${name}`, () => {
    assert.throws(() => new Verifier(SECRET).verify(headers, body), VerificationError);
  });
}

test("a signed body that is no event is not reported as unsigned", () => {
  assert.throws(() => new Verifier(SECRET, OTHER).verify(signed("nope"), "nope"), /The body is not JSON/);
  assert.throws(() => new Verifier(SECRET, OTHER).verify(signed("[1]"), "[1]"), /not an event/);
});

test("a verifier and a client say what they need", () => {
  assert.throws(() => new Verifier(""), /signing secret/);
  assert.throws(() => new Patchbay({ baseUrl: URL_ }), /PATCHBAY_API_KEY/);
  assert.throws(() => new Patchbay({ apiKey: "sk_test", baseUrl: "localhost:8787" }), /must start with https/);
  assert.throws(() => new Patchbay({ apiKey: "sk" }), /PATCHBAY_URL/);
  assert.equal(parseEvent(BODY).type, "POST_PUBLISHED");
});
