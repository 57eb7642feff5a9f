import assert from "node:assert/strict";
import * as sdk from "@patchbay/sdk";
import event from "./event.cjs";

const { secret, body, headers } = event;
assert.equal(sdk.verify(new Headers(headers), new TextEncoder().encode(body), secret).data.postId, "post_42");
assert.throws(() => sdk.verify(headers, `${body} `, secret), sdk.VerificationError);
assert.equal(typeof new sdk.Patchbay({ apiKey: "k", baseUrl: "https://x" }).webhooks.create, "function");
console.log(Object.keys(sdk).sort().join());
