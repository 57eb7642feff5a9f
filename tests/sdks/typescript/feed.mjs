// Follows a pull webhook: leaves the loop at the second of three events, then continues.
import assert from "node:assert/strict";
import { follow, Patchbay, verify } from "@patchbay/sdk";

const client = new Patchbay();
const webhook = await client.webhooks.create({ kind: "pull", name: "Feed", eventTypes: ["POST_PUBLISHED"] });
for (const postId of ["a", "b", "c"]) {
  await client.events.publish({ type: "POST_PUBLISHED", data: { postId, network: "x" } });
}

async function read(last) {
  const posts = [];
  const options = { consumer: "billing", wait: 5, signal: AbortSignal.timeout(30_000) };
  for await (const item of follow(client, webhook.id, options)) {
    posts.push(verify(item.headers, item.payload, webhook.secret).data.postId);
    if (posts.length === last) break;
  }
  return posts;
}

const first = await read(2);
const second = await read(2);
assert.equal(second[0], first[1], "the event at which the loop was left comes again");
assert.deepEqual([first[0], ...second].sort(), ["a", "b", "c"]);
const [consumer] = (await client.webhooks.listConsumers(webhook.id)).items;
assert.equal(consumer.lag, 1);
