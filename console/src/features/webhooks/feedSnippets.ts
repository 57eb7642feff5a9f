/** Sample programs that read the feed of a webhook. They read the secret from the environment. */
export function feedSnippets(webhookId: string) {
  const origin = location.origin;
  return [
    [
      "typescript",
      `import { follow, Patchbay, verify } from "@patchbay/sdk";

const client = new Patchbay({ apiKey: process.env.PATCHBAY_API_KEY, baseUrl: "${origin}" });

for await (const item of follow(client, "${webhookId}", { consumer: "my-program" })) {
  const event = verify(item.headers, item.payload, process.env.WEBHOOK_SECRET);
  console.log(item.sequence, event.type);
}
`,
    ],
    [
      "python",
      `import os

from patchbay_sdk import Patchbay, verify
from patchbay_sdk.feeds import follow

client = Patchbay(api_key=os.environ["PATCHBAY_API_KEY"], base_url="${origin}")

for item in follow(client, "${webhookId}", consumer="my-program"):
    event = verify(item.headers, item.payload, secret=os.environ["WEBHOOK_SECRET"])
    print(item.sequence, event.type)
`,
    ],
    [
      "http",
      `curl -H "Authorization: Bearer $PATCHBAY_API_KEY" \\
  "${origin}/api/integrations/webhooks/${webhookId}/feed?consumer=my-program&wait=20"

# When you are done with an item, commit its sequence:
curl -H "Authorization: Bearer $PATCHBAY_API_KEY" -H "Content-Type: application/json" \\
  -d '{"consumer": "my-program", "sequence": 1}' \\
  "${origin}/api/integrations/webhooks/${webhookId}/feed/commit"
`,
    ],
  ] as const;
}
