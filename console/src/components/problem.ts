import { ApiError, ConnectionFailed } from "@sdk/errors";
import { common as t } from "@strings/common";

/** An error as shown to users: what is wrong, what to do, and the request ID to quote. */
export interface Problem {
  title: string;
  detail: string;
  requestId: string | null;
  fields: readonly { path: string; message: string }[];
}

export function problemOf(error: unknown): Problem {
  if (error instanceof ApiError) {
    return { title: error.title, detail: error.detail, requestId: error.requestId, fields: error.errors };
  }
  const isOffline = error instanceof ConnectionFailed;
  return {
    title: isOffline ? t.errors.offline : t.errors.title,
    detail: isOffline ? t.errors.offlineDetail : t.errors.unexpected,
    requestId: null,
    fields: [],
  };
}

/** The error messages of a form, by field: `eventTypes.0` belongs to the input of `eventTypes`. */
export function fieldErrors(error: unknown): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { path, message } of problemOf(error).fields) found[path.split(".")[0] ?? ""] ??= message;
  return found;
}

/** The error messages of one object in a form, by field: `config.clientId` belongs to `clientId` of `config`. */
export function fieldErrorsOf(error: unknown, object: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { path, message } of problemOf(error).fields) {
    const [first, field] = path.split(".");
    if (first === object && field !== undefined) found[field] ??= message;
  }
  return found;
}
