import { ApiError } from "@sdk/errors";
import type { PortalSessionToken } from "@sdk/generated/models";

/** Exchanges a one-time code for the session's token. The SDK's client requires a token, and there is none yet. */
export async function exchange(code: string): Promise<PortalSessionToken> {
  const response = await fetch("/api/portal/sessions/exchange", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code }),
    redirect: "manual",
  });
  const body: unknown = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, response.headers, body);
  return body as PortalSessionToken;
}
