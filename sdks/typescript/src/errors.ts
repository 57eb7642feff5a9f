/** The base class of the SDK's errors. */
export class PatchbayError extends Error {
  override name = "PatchbayError";
}

/** The API did not answer: the connection failed or timed out, after all retries. The cause is in `cause`. */
export class ConnectionFailed extends PatchbayError {
  override name = "ConnectionFailed";
}

/** The request is not an event that Patchbay signed with this secret. */
export class VerificationError extends PatchbayError {
  override name = "VerificationError";
}

/** A field that the API rejected. `path` has the names from the body's root, separated by dots. */
export interface FieldError {
  path: string;
  message: string;
}

/** A response that reports a problem (RFC 9457). Match on `code`; `message` is for people. */
export class ApiError extends PatchbayError {
  override name = "ApiError";
  readonly title: string;
  /** What is wrong, and what to do. */
  readonly detail: string;
  /** The stable code of the problem, such as `not_found`; `unknown` if the response is not Patchbay's. */
  readonly code: string;
  /** The address of the problem's documentation. */
  readonly type: string;
  /** Quote it when you ask for help. */
  readonly requestId: string | null;
  /** The fields that are wrong; only with `validation_failed`. */
  readonly errors: readonly FieldError[];

  constructor(
    /** The HTTP status code. */
    readonly status: number,
    readonly headers: Headers,
    body: unknown,
  ) {
    const problem = isObject(body) ? body : {};
    const text = (name: string, fallback: string) =>
      typeof problem[name] === "string" ? (problem[name] as string) : fallback;
    const title = text("title", `HTTP ${status}`);
    const detail = text("detail", "The response is not a problem document of Patchbay.");
    const code = text("code", "unknown");
    const errors = Array.isArray(problem.errors) ? (problem.errors as FieldError[]) : [];
    const fields = errors.map((error) => `\n  ${error.path}: ${error.message}`);
    super(`${title}: ${detail} (${status} ${code})${fields.join("")}`);
    this.title = title;
    this.detail = detail;
    this.code = code;
    this.type = text("type", "about:blank");
    this.requestId = text("requestId", headers.get("x-request-id") ?? "") || null;
    this.errors = errors;
  }

  /** Seconds until a request makes sense again, if the response says so. */
  get retryAfter(): number | null {
    const text = this.headers.get("retry-after");
    return text !== null && /^\d+$/.test(text) ? Number(text) : null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
