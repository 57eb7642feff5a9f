import assert from "node:assert/strict";
import { Patchbay } from "../src/index.js";

export const URL_ = "https://patchbay.example";

export interface Reply {
  status?: number;
  headers?: Record<string, string>;
  body?: unknown;
  fails?: Error;
  /** Sends no response until the request is aborted. */
  hangs?: boolean;
}

export interface Sent {
  url: URL;
  method: string;
  headers: Record<string, string>;
  body: unknown;
}

/** Returns a client whose requests get the replies in order, and the list of sent requests. */
export function scripted(...replies: Reply[]): { client: Patchbay; sent: Sent[] } {
  const sent: Sent[] = [];
  const fetch = async (url: string, init: RequestInit): Promise<Response> => {
    sent.push({
      url: new URL(url),
      method: String(init.method),
      headers: init.headers as Record<string, string>,
      body: typeof init.body === "string" ? JSON.parse(init.body) : undefined,
    });
    const reply = replies.shift();
    assert(reply, "one request too many");
    if (reply.fails) throw reply.fails;
    if (reply.hangs) await aborted(init.signal!);
    const body = typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body ?? {});
    return new Response(body, { status: reply.status ?? 200, headers: reply.headers ?? {} });
  };
  const client = new Patchbay({ apiKey: "sk_test", baseUrl: `${URL_}/`, fetch });
  return { client, sent };
}

export const problem = (status: number, code: string, more: object = {}): Reply => ({
  status,
  body: {
    type: `${URL_}/api/docs/errors#${code}`,
    title: "A title",
    status,
    detail: "Do this.",
    code,
    requestId: "r1",
    ...more,
  },
});
export const QUICK = { headers: { "retry-after": "0" } };

/** Rejects when the signal is aborted. Until then, it keeps the process alive, as an open socket does. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const socket = setInterval(() => undefined, 60_000);
    signal.addEventListener("abort", () => {
      clearInterval(socket);
      reject(signal.reason as Error);
    });
  });
}
