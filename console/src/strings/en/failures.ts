import { statuses } from "./statuses";

/** Explains what happened to a delivery, and what to do about it. */
export interface Explanation {
  title: string;
  advice: string;
}

const CODES: Record<string, Explanation> = {
  timeout: {
    title: "Your endpoint did not respond within 15 seconds",
    advice: "Respond with 2xx as soon as you have stored the event, then process it.",
  },
  connection_failed: {
    title: "Patchbay could not connect to your endpoint",
    advice:
      "Check that the server is running, that the port is correct, and that your firewall allows requests from the internet.",
  },
  dns_failed: {
    title: "The DNS lookup of your endpoint's host failed",
    advice: "Check the URL for typos, and check the host's DNS records.",
  },
  tls_failed: {
    title: "The TLS handshake with your endpoint failed",
    advice:
      "Check that the certificate is valid for this host, has not expired, and includes the intermediate certificates.",
  },
  invalid_response: {
    title: "Your endpoint's response was not valid HTTP",
    advice:
      "Check the Content-Length and Transfer-Encoding headers of the response, including those that a proxy adds.",
  },
  invalid_request: {
    title: "The webhook's URL or headers are invalid",
    advice: "Fix them in the settings.",
  },
  forbidden_target: {
    title: "The URL points to an address that Patchbay does not call",
    advice: "Use a public address. If your endpoint is behind a firewall, create a pull webhook and read its feed.",
  },
  secret_unreadable: {
    title: "The stored signing secret is damaged",
    advice: "Rotate the secret without an overlap, then resend the delivery.",
  },
  endpoint_gone: {
    title: "Your endpoint responded with 410 Gone, so Patchbay disabled the webhook",
    advice: "Fix your endpoint and activate the webhook. Then resend its failed and missed deliveries.",
  },
  endpoint_not_found: {
    title: "No automation is listening at this URL anymore, so Patchbay disabled the webhook",
    advice: "Turn the automation off and on.",
  },
  held_too_long: {
    title: "The delivery was on hold for too long",
    advice: "When your endpoint works again, resend the delivery.",
  },
  webhook_disabled: {
    title: "Patchbay disabled the webhook before it sent the delivery",
    advice: "Activate the webhook, then resend the delivery.",
  },
  webhook_inactive: {
    title: "The webhook was deactivated before the delivery was sent",
    advice: "Activate the webhook, then resend the delivery.",
  },
  webhook_deleted: {
    title: "The webhook was deleted before the delivery was sent",
    advice: "No action needed.",
  },
  "held:paused": {
    title: "The webhook is paused",
    advice: "Resume the webhook. Deliveries on hold are then sent, oldest first.",
  },
  "held:timeouts": {
    title: "Your endpoint timed out three times in a row, so the delivery is on hold",
    advice: "Patchbay tries one delivery from time to time. When your endpoint responds, Patchbay sends the rest.",
  },
  "held:backlog": {
    title: "Too many deliveries are already waiting for a retry",
    advice: "Many deliveries to your endpoint are failing. When it works again, Patchbay sends the deliveries on hold.",
  },
  "held:rate_limit": {
    title: "The delivery is waiting because of the webhook's rate limit",
    advice: "To send faster, raise the rate limit in the settings.",
  },
  "held:slow": {
    title: "Your endpoint is slow, so Patchbay sends only a few deliveries at a time",
    advice: "Respond with 2xx as soon as you have stored the event, then process it.",
  },
};

const HTTP: Record<number, string> = {
  400: "Your endpoint did not understand the request. Its response may say which part.",
  401: "Your endpoint did not accept the signature or your custom headers. Check that it has this webhook's signing secret.",
  403: "Your endpoint, or a firewall in front of it, rejected the request. Check its rules and the signing secret.",
  404: "There is nothing at this path. Check the URL.",
  405: "The path does not accept POST requests. Check the URL.",
  410: "Your endpoint says that it is permanently gone, so Patchbay disabled the webhook.",
  413: "The event is larger than your endpoint accepts. Raise its limit.",
  415: "Your endpoint does not accept JSON.",
  422: "Your endpoint rejected the event's content. The response may say why.",
  429: "Your endpoint receives more requests than it allows. Set a rate limit in the settings.",
};

/** Explains a reason of the API, such as `retries_exhausted:http_500`, with a title and advice. */
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
      advice: "Patchbay does not follow redirects. Enter the redirect's target as the URL.",
    };
  }
  if (code) {
    const isServer = code.startsWith("5");
    return {
      title: `Your endpoint responded with HTTP ${code}`,
      advice:
        HTTP[Number(code)] ??
        (isServer
          ? "Your endpoint, or a server in front of it, had an error. Check its logs at the time of the attempt."
          : "Your endpoint rejected the request. The response may say why."),
    };
  }
  return { title: statuses.reason(reason), advice: "See the attempts below." };
}
