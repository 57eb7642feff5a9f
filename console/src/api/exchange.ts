import { ApiError } from "@sdk/errors";

/** How a session wants the console to look. */
export interface Theme {
  colorScheme?: "light" | "dark" | "auto" | null;
  primaryColor?: string | null;
}

/** The response of the exchange of a one-time code. */
export interface ExchangedSession {
  token: string;
  id: string;
  expiresAt: string;
  capabilities: string[];
  theme: Theme | null;
  view: string | null;
  returnUrl: string | null;
}

/** Exchange a one-time code for the session's token. It has no token yet, so the SDK's client cannot do it. */
export async function exchange(code: string): Promise<ExchangedSession> {
  const response = await fetch("/api/portal/sessions/exchange", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code }),
    redirect: "manual",
  });
  const body: unknown = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, response.headers, body);
  return body as ExchangedSession;
}
