// A signed request for the programs that use the package: { secret, body, headers }.
const { createHmac } = require("node:crypto");

const key = Buffer.alloc(32, 7);
const body = JSON.stringify({
  id: "evt_1",
  type: "POST_PUBLISHED",
  timestamp: "2026-11-27T09:30:00.000Z",
  data: { postId: "post_42", network: "x", text: "Hé" },
});
const time = String(Math.floor(Date.now() / 1000));
const signature = createHmac("sha256", key).update(`dlv_1.${time}.${body}`).digest("base64");
module.exports = {
  secret: `whsec_${key.toString("base64")}`,
  body,
  headers: { "webhook-id": "dlv_1", "webhook-timestamp": time, "webhook-signature": `v1,${signature}` },
};
