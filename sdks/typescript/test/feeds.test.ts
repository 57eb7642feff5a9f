import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, ConnectionFailed, type FeedItem, follow, type PatchbayError } from "../src/index.js";
import { problem, scripted } from "./scripted.js";

const item = (sequence: number): object => ({ sequence, id: `dlv_${sequence}`, payload: "{}", headers: {} });
const page = (...sequences: number[]) => ({ body: { items: sequences.map(item), nextPollMs: 0, cursor: "9" } });
const COMMITTED = { body: { consumer: "c", sequence: 0, lag: 0 } };
const GONE = problem(404, "not_found");

/** Summarizes the requests of a loop: `read <cursor>`, `commit <sequence>`. */
const said = (sent: ReturnType<typeof scripted>["sent"]): string[] =>
  sent.map(({ method, url, body }) =>
    method === "GET" ? `read ${url.searchParams.get("cursor")}` : `commit ${(body as { sequence: number }).sequence}`,
  );

test("follow commits what is done before the next request", async () => {
  const { client, sent } = scripted(page(1, 4), COMMITTED, page(), page(5), COMMITTED, GONE);
  const seen: number[] = [];
  await assert.rejects(async () => {
    for await (const { sequence } of follow(client, "whk_1", { consumer: "c", wait: 5 })) seen.push(sequence);
  }, ApiError);
  assert.deepEqual(seen, [1, 4, 5]);
  assert.deepEqual(said(sent), ["read null", "commit 4", "read 4", "read 4", "commit 5", "read 5"]);
  assert.equal(sent[0]!.url.search, "?consumer=c&limit=20&wait=5");
});

test("the event at which the loop is left is not done", async () => {
  const { client, sent } = scripted(page(1, 2, 3), COMMITTED);
  for await (const { sequence } of follow(client, "whk_1", { consumer: "c" })) if (sequence === 2) break;
  assert.deepEqual(said(sent), ["read null", "commit 1"]);
});

test("an error in the loop's body commits what was done before, and stays the error", async () => {
  for (const reply of [COMMITTED, GONE]) {
    const { client, sent } = scripted(page(1, 2), reply);
    await assert.rejects(async () => {
      for await (const { sequence } of follow(client, "whk_1", { consumer: "c" })) {
        if (sequence === 2) throw new RangeError("mine");
      }
    }, RangeError);
    assert.deepEqual(said(sent), ["read null", "commit 1"]);
  }
});

test("an abort ends the loop after its event", async () => {
  const { client, sent } = scripted(page(1, 2, 3), COMMITTED);
  const stop = new AbortController();
  const seen: FeedItem[] = [];
  for await (const each of follow(client, "whk_1", { consumer: "c", signal: stop.signal })) {
    if (seen.push(each) === 2) stop.abort();
  }
  assert.equal(seen.length, 2);
  assert.deepEqual(said(sent), ["read null", "commit 2"]);
});

test("an abort ends a request that waits, and a pause", async () => {
  for (const reply of [{ hangs: true }, { body: { items: [], nextPollMs: 60_000 } }]) {
    const { client, sent } = scripted(page(1), COMMITTED, reply);
    const options = { consumer: "c", signal: AbortSignal.timeout(30) };
    for await (const { sequence } of follow(client, "whk_1", options)) assert.equal(sequence, 1);
    assert.deepEqual(said(sent), ["read null", "commit 1", "read 1"]);
  }
  const { client, sent } = scripted();
  for await (const _ of follow(client, "whk_1", { consumer: "c", signal: AbortSignal.abort() })) assert.fail();
  assert.equal(sent.length, 0);
});

test("while Patchbay cannot be reached, the loop waits, and commits later", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { client, sent } = scripted(
    { status: 503, body: "", headers: { "retry-after": "3600" } },
    page(1),
    { fails: new TypeError("fetch failed") },
    page(2),
    COMMITTED,
  );
  const interruptions: PatchbayError[] = [];
  const onInterruption = (error: PatchbayError) => {
    interruptions.push(error);
    setImmediate(() => t.mock.timers.tick(30_000));
  };
  const seen: number[] = [];
  for await (const { sequence } of follow(client, "whk_1", { consumer: "c", onInterruption })) {
    seen.push(sequence);
    if (sequence === 2) break;
  }
  assert.deepEqual(seen, [1, 2]);
  assert.deepEqual(said(sent), ["read null", "read null", "commit 1", "read 1", "commit 1"]);
  assert(interruptions[0] instanceof ApiError && interruptions[1] instanceof ConnectionFailed);
});

test("a commit that fails where the loop is left is reported, and only a lasting problem is thrown", async () => {
  const reported: PatchbayError[] = [];
  const leave = async (reply: object) => {
    const { client } = scripted(page(1, 2), reply);
    const options = { consumer: "c", onInterruption: (error: PatchbayError) => reported.push(error) };
    for await (const { sequence } of follow(client, "whk_1", options)) if (sequence === 2) break;
  };
  await leave({ fails: new TypeError("fetch failed") });
  assert.equal(reported.length, 1);
  await assert.rejects(leave(problem(409, "conflict")), { code: "conflict" });
});
