import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { BODY, SECRET, signed } from "./signed.js";

process.env.PATCHBAY_SECRET = SECRET;
const FORGED = `${BODY} `;
const URL_ = "https://receiver.example/hook";

test("the Next.js route answers 204 to an event, and 400 to a forged one", async () => {
  const { POST } = await import("../examples/nextjs-route.js");
  const post = (body: string) => POST(new Request(URL_, { method: "POST", body, headers: signed(BODY) }));
  assert.equal((await post(BODY)).status, 204);
  assert.equal((await post(FORGED)).status, 400);
});

test("the Lambda handler reads bodies with and without base64", async () => {
  const { handler } = await import("../examples/lambda.js");
  const headers = Object.fromEntries(Object.entries(signed(BODY)).map(([name, value]) => [name.toLowerCase(), value]));
  const base64 = Buffer.from(BODY).toString("base64");
  assert.deepEqual(await handler({ headers, body: base64, isBase64Encoded: true }), { statusCode: 204 });
  assert.deepEqual(await handler({ headers, body: BODY, isBase64Encoded: false }), { statusCode: 204 });
  assert.equal((await handler({ headers, body: FORGED, isBase64Encoded: false })).statusCode, 400);
  assert.equal((await handler({ headers, isBase64Encoded: false })).statusCode, 400);
});

test("the Express receiver answers 204 to an event, and 400 to a forged one", async () => {
  const port = await freePort();
  const file = fileURLToPath(new URL("../examples/express.ts", import.meta.url));
  const receiver = spawn(process.execPath, ["--import", "tsx", file], {
    env: { ...process.env, PORT: String(port) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const post = async (body: string): Promise<number> => {
      const headers = { ...signed(BODY), "content-type": "application/json" };
      const response = await fetch(`http://127.0.0.1:${port}/hook`, { method: "POST", body, headers });
      await response.text();
      return response.status;
    };
    let status: number | null = null;
    for (let tries = 0; status === null; tries++) {
      assert(tries < 100 && receiver.exitCode === null, "the receiver does not start");
      await sleep(100);
      status = await post(BODY).catch(() => null);
    }
    assert.equal(status, 204);
    const [printed] = (await once(receiver.stdout, "data")) as [Buffer];
    assert.equal(printed.toString(), "dlv_1 POST_PUBLISHED\n");
    assert.equal(await post(FORGED), 400);
    assert.equal(await post(""), 400);
  } finally {
    receiver.kill();
  }
});

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  return port;
}
