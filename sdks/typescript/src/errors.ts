/** The base class of the SDK's errors. */
export class PatchbayError extends Error {
  override name = "PatchbayError";
}

/** The API did not respond: the connection failed or timed out after all retries. See `cause`. */
export class ConnectionFailed extends PatchbayError {
  override name = "ConnectionFailed";
}

/** The request is not an event signed by Patchbay with this secret. */
export class VerificationError extends PatchbayError {
  override name = "VerificationError";
}

/** An invalid field. `path` is the path from the root of the body, separated by dots. */
export interface FieldError {
  path: string;
  message: string;
}

/** An error response (RFC 9457). Match on `code`; `message` is for people. */
export class ApiError extends PatchbayError {
  override name = "ApiError";
  readonly title: string;
  /** What went wrong and what to do. */
  readonly detail: string;
  /** The stable error code, such as `not_found`; `unknown` if the response is not from Patchbay. */
  readonly code: string;
  /** The URL of the error's documentation. */
  readonly type: string;
  /** Include it when you ask for help. */
  readonly requestId: string | null;
  /** The invalid fields, if the code is `validation_failed`. */
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

  /** The number of seconds to wait before a retry, if the response has one. */
  get retryAfter(): number | null {
    const text = this.headers.get("retry-after");
    return text !== null && /^\d+$/.test(text) ? Number(text) : null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
