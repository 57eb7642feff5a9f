/** Strings for the statuses and reasons of the API. */
export const statuses = {
  webhook: { ACTIVE: "Active", PAUSED: "Paused", INACTIVE: "Inactive", DISABLED: "Disabled" },
  delivery: {
    PENDING: "Waiting",
    SENDING: "Sending",
    RETRYING: "Retrying",
    HELD: "On hold",
    DELIVERED: "Delivered",
    FAILED: "Failed",
    CANCELLED: "Canceled",
  },
  trigger: {
    AUTO: "Automatic",
    MANUAL: "Manual retry",
    TEST: "Test",
    RECOVER: "Recovered",
    REPLAY: "Replayed",
  },
  integration: { ACTIVE: "Active", PENDING_SETUP: "Needs setup", INACTIVE: "Paused", ERROR: "Error" },
  connection: { ACTIVE: "Connected", EXPIRED: "Expired", ERROR: "Refresh failing", REVOKED: "Being removed" },
  link: { OPEN: "Open", COMPLETED: "Used", REVOKED: "Revoked", EXPIRED: "Expired" },
  review: { PENDING: "Pending review", APPROVED: "Approved", REJECTED: "Rejected" },
  unknown: (status: string) => sentence(status.toLowerCase()),
  /** Describes a reason code: `retries_exhausted:http_500` becomes "No retries left: HTTP 500". */
  reason(code: string): string {
    const [first = "", ...rest] = code.split(":");
    const words = PREFIXES[first] ?? sentence(first.replace(/^http_(\d{3})$/, "HTTP $1"));
    return rest.length === 0 ? words : `${words}: ${statuses.reason(rest.join(":").trim())}`;
  },
};

const PREFIXES: Record<string, string> = {
  retries_exhausted: "No retries left",
  held: "On hold",
  timeout: "Timed out",
  dns_failed: "DNS lookup failed",
};

function sentence(code: string): string {
  const words = code.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
