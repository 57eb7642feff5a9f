// Runs a bundle with only Web APIs, as on an edge runtime or, with `page`, as on a browser page.
// Prints the names of the headers that the client sent.
const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const vm = require("node:vm");
const { secret, body, headers } = require("./event.cjs");

const [, , bundle, kind] = process.argv;
const sent = [];
const names = [
  "AbortController", "AbortSignal", "Headers", "Request", "Response", "TextDecoder", "TextEncoder", "URL",
  "URLSearchParams", "atob", "btoa", "clearTimeout", "console", "crypto", "setTimeout",
];
const world = Object.fromEntries(names.map((name) => [name, globalThis[name]]));
world.fetch = async (url, init) => {
  if (!["follow", "manual"].includes(init.redirect)) throw new TypeError("Invalid redirect value"); // as on workers
  sent.push(...Object.keys(init.headers));
  return Response.json(url.endsWith("/events") ? { id: "evt_1" } : { items: [{ id: "whk_1" }], nextCursor: null });
};
if (kind === "page") world.document = {};
Object.assign(world, { secret, body, headers, assert });
vm.createContext(world, { codeGeneration: { strings: false, wasm: false } });
vm.runInContext(readFileSync(bundle, "utf8"), world);
const script = `(async () => {
  assert.equal(sdk.verify(headers, body, secret).data.text, "Hé");
  const client = new sdk.Patchbay({ apiKey: "k", baseUrl: "https://patchbay.example" });
  for await (const webhook of client.webhooks.list()) assert.equal(webhook.id, "whk_1");
  await client.webhooks.update("whk_1", { name: "n" }, { ifMatch: 1 });
  const event = await client.events.publish({ type: "POST_PUBLISHED", data: {} });
  assert.equal(event.id, "evt_1");
})()`;
vm.runInContext(script, world).then(() => console.log([...new Set(sent)].join()));
