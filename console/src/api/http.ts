import { Http } from "@sdk/http";

/** Requests with a bearer token, to this origin. */
export function httpWith(token: string): Http {
  return new Http({
    baseUrl: location.origin,
    token,
    maxRetries: 2,
    timeoutMs: 30_000,
    fetch: (url, init) => fetch(url, init),
  });
}
