import { ApiError, ConnectionFailed } from "@sdk/errors";
import { common as t } from "@strings/common";

/** What people read about an error: what is wrong, what to do, and what to quote. */
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

/** The messages of a rejected form, by field: `eventTypes.0` belongs to the input of `eventTypes`. */
export function fieldErrors(error: unknown): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { path, message } of problemOf(error).fields) found[path.split(".")[0] ?? ""] ??= message;
  return found;
}

/** The messages of a rejected form of one object, by field: `config.clientId` belongs to `clientId` of `config`. */
export function fieldErrorsOf(error: unknown, object: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { path, message } of problemOf(error).fields) {
    const [first, field] = path.split(".");
    if (first === object && field !== undefined) found[field] ??= message;
  }
  return found;
}
