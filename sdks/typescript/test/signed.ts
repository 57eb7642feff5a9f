import { Webhook as Signer } from "standardwebhooks";

export const SECRET = `whsec_${btoa("a signing secret of 32 bytes....")}`;
const EVENT = {
  id: "evt_1",
  type: "POST_PUBLISHED",
  timestamp: "2026-11-27T09:30:00.000Z",
  data: { postId: "p1", network: "x", text: "Hé" },
};
export const BODY = JSON.stringify(EVENT);

/** The headers of a signed request with this body. */
export function signed(body: string, secret = SECRET, ageSeconds = 0): Record<string, string> {
  const time = new Date(Date.now() - ageSeconds * 1000);
  return {
    "Webhook-Id": "dlv_1",
    "Webhook-Timestamp": String(Math.floor(time.getTime() / 1000)),
    "Webhook-Signature": new Signer(secret).sign("dlv_1", time, body),
  };
}
