export { Patchbay, type PatchbayOptions } from "./client.js";
export { ApiError, ConnectionFailed, type FieldError, PatchbayError, VerificationError } from "./errors.js";
export { type FollowOptions, follow } from "./feeds.js";
export type * from "./generated/models.js";
export type { ConditionalOptions, Fetch, IdempotentOptions, Options, WriteOptions } from "./http.js";
export { type LoadedPage, Page } from "./page.js";
export { type Event, type HeadersLike, parseEvent, type UnknownEvent, Verifier, verify } from "./verify.js";
export { VERSION } from "./version.js";
