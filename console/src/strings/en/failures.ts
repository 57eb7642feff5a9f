import { statuses } from "./statuses";

/** What happened to a delivery in words, and what people can do about it. */
export interface Explanation {
  title: string;
  advice: string;
}

const CODES: Record<string, Explanation> = {
  timeout: {
    title: "Your endpoint did not answer within 15 seconds",
    advice: "Answer with 2xx as soon as you have stored the event, and do the work afterwards.",
  },
  connection_failed: {
    title: "Patchbay could not connect to your endpoint",
    advice:
      "Check that the server runs, that the port is right, and that a firewall lets requests from the internet in.",
  },
  dns_failed: {
    title: "The host name of your endpoint has no address",
    advice: "Check the URL for a typing mistake, and the DNS records of the host.",
  },
  tls_failed: {
    title: "The TLS handshake with your endpoint failed",
    advice:
      "Check that the certificate is valid for this host, not expired, and comes with its intermediate certificates.",
  },
  invalid_response: {
    title: "Your endpoint's response was not valid HTTP",
    advice: "Check the Content-Length and Transfer-Encoding of its response, also those that a proxy adds.",
  },
  invalid_request: {
    title: "The webhook's URL or headers cannot be sent",
    advice: "Correct them in the settings.",
  },
  forbidden_target: {
    title: "The URL leads to an address that Patchbay does not call",
    advice:
      "Use a public address. If your endpoint is behind a firewall, add a webhook of kind pull and read its feed.",
  },
  secret_unreadable: {
    title: "The stored signing secret is damaged",
    advice: "Rotate the secret and end the old one at once. Then send the delivery again.",
  },
  held_too_long: {
    title: "The delivery was held too long",
    advice: "When your endpoint works again, send the delivery again.",
  },
  webhook_disabled: {
    title: "Patchbay disabled the webhook before this was sent",
    advice: "Activate the webhook, then send the delivery again.",
  },
  webhook_inactive: {
    title: "The webhook was deactivated before this was sent",
    advice: "Activate the webhook, then send the delivery again.",
  },
  webhook_deleted: {
    title: "The webhook was deleted before this was sent",
    advice: "There is nothing to do.",
  },
  "held:paused": {
    title: "The webhook is paused",
    advice: "Resume the webhook: what is held is sent then, oldest first.",
  },
  "held:timeouts": {
    title: "Your endpoint did not answer three times in a row, so the delivery waits",
    advice: "Patchbay tries one delivery from time to time. As soon as your endpoint answers, what is held is sent.",
  },
  "held:backlog": {
    title: "Too many deliveries already wait for a retry",
    advice: "Your endpoint fails for many deliveries. When it works again, what is held is sent.",
  },
  "held:rate_limit": {
    title: "The delivery waits for its turn under the webhook's rate limit",
    advice: "To send faster, raise the rate limit in the settings.",
  },
  "held:slow": {
    title: "Your endpoint is slow, so its deliveries are sent a few at a time",
    advice: "Answer with 2xx as soon as you have stored the event, and do the work afterwards.",
  },
};

const HTTP: Record<number, string> = {
  400: "Your endpoint did not understand the request. Its response may say which part.",
  401: "Your endpoint did not accept the signature or your own headers. Check that it has this webhook's signing secret.",
  403: "Your endpoint, or a firewall before it, refused the request. Check its rules, and the signing secret.",
  404: "Nothing is at this path. Check the URL.",
  405: "The path does not take POST requests. Check the URL.",
  410: "Your endpoint says that it is gone for good, so Patchbay disabled the webhook.",
  413: "The event is larger than your endpoint accepts. Raise its limit.",
  415: "Your endpoint does not accept JSON.",
  422: "Your endpoint understood the event, but refused its content. Its response may say why.",
  429: "Your endpoint gets more requests than it accepts. Set a rate limit in the settings.",
};

/** A reason of the API, such as `retries_exhausted:http_500`, as a title and advice. */
export function explain(reason: string): Explanation {
  const known = CODES[reason];
  if (known) return known;
  const exhausted = reason.match(/^retries_exhausted:(.+)$/)?.[1];
  if (exhausted) {
    const last = explain(exhausted);
    return { title: `${last.title}, and no retries are left`, advice: last.advice };
  }
  const [, kind, code] = reason.match(/^(http|redirect)_(\d{3})$/) ?? [];
  if (kind === "redirect") {
    return {
      title: `Your endpoint redirected the request with HTTP ${code}`,
      advice: "Patchbay does not follow redirects. Enter the URL that it leads to.",
    };
  }
  if (code) {
    const isServer = code.startsWith("5");
    return {
      title: `Your endpoint answered with HTTP ${code}`,
      advice:
        HTTP[Number(code)] ??
        (isServer
          ? "Your endpoint, or a server before it, had an error. Look into its log at the time of the attempt."
          : "Your endpoint refused the request. Its response may say why."),
    };
  }
  return { title: statuses.reason(reason), advice: "See the attempts below." };
}
