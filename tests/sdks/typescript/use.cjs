const assert = require("node:assert/strict");
const sdk = require("@patchbay/sdk");
const { secret, body, headers } = require("./event.cjs");

assert.equal(sdk.verify(headers, body, secret).data.postId, "post_42");
assert.throws(() => sdk.verify(headers, `${body} `, secret), sdk.VerificationError);
assert.equal(typeof new sdk.Patchbay({ apiKey: "k", baseUrl: "https://x" }).webhooks.create, "function");
assert.equal(require("@patchbay/sdk/package.json").version, sdk.VERSION);
console.log(Object.keys(sdk).sort().join());
