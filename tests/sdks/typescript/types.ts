import { ApiError, type Event, follow, Patchbay, verify, type Webhook } from "@patchbay/sdk";

const client = new Patchbay({ apiKey: "sk_live_x", baseUrl: "https://patchbay.example" });

export async function use(): Promise<Webhook[]> {
  const webhooks: Webhook[] = [];
  try {
    for await (const webhook of client.webhooks.list({ limit: 100 })) webhooks.push(webhook);
    for await (const item of follow(client, "whk_1", { consumer: "c" })) describe(verify(item.headers, item.payload, "x"));
  } catch (error) {
    if (!(error instanceof ApiError && error.code === "not_found")) throw error;
  }
  return webhooks;
}

function describe(event: Event): string {
  // @ts-expect-error: the type is not known yet
  event.data.postId;
  return event.type === "POST_PUBLISHED" ? event.data.postId : event.type;
}
