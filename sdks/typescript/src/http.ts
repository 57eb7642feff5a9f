import { ApiError, ConnectionFailed } from "./errors.js";
import { type LoadedPage, Page } from "./page.js";
import { delayMs, isRetryable } from "./retry.js";
import { sleep } from "./sleep.js";
import { VERSION } from "./version.js";

/** Options of one request. */
export interface Options {
  /** Aborts the request and its retries. */
  signal?: AbortSignal;
  /** The timeout of each attempt in milliseconds. */
  timeoutMs?: number;
}

/** Options of a request that creates or starts something. */
export interface IdempotentOptions extends Options {
  /** Identifies the request, so that retries have no effect. Default: a random key. */
  idempotencyKey?: string;
}

/** Options of a request that changes or deletes a resource. */
export interface ConditionalOptions extends Options {
  /** The version that you read. If there is a newer version, the request fails with 412 `precondition_failed`. */
  ifMatch?: number | string;
}

/** Options of a request that accepts both. */
export interface WriteOptions extends IdempotentOptions, ConditionalOptions {}

/** The part of `fetch` that the client needs. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface Settings {
  baseUrl: string;
  token: string;
  maxRetries: number;
  timeoutMs: number;
  fetch: Fetch;
}

interface Arguments {
  path?: Record<string, string>;
  query?: object;
  body?: unknown;
  /** Whether the operation accepts an Idempotency-Key. */
  idempotent?: boolean;
  options?: WriteOptions | undefined;
}

/** Sends requests, with retries, idempotency keys, error handling and pagination. */
export class Http {
  readonly #settings: Settings;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  page<T>(method: string, path: string, args: Arguments): Page<T> {
    return new Page<T>((cursor) =>
      this.request<LoadedPage<T>>(method, path, cursor === null ? args : { ...args, query: { ...args.query, cursor } }),
    );
  }

  async request<T>(method: string, path: string, args: Arguments): Promise<T> {
    const url = this.#url(path, args);
    const headers = this.#headers(args);
    const body = args.body === undefined ? null : JSON.stringify(args.body);
    const repeatable = args.idempotent === true || method !== "POST";
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#attempt(url, { method, headers, body }, args.options, repeatable, attempt);
      if (answer === null) continue;
      const { response, text } = answer;
      const content = parsed(text);
      if (response.ok && content !== undefined) return content as T;
      // This includes redirects, which are not followed; browsers report them with status 0.
      const isForeign = response.status < 400;
      const error = isForeign ? notPatchbay(response) : new ApiError(response.status, response.headers, content);
      const isLast = attempt > this.#settings.maxRetries || isForeign;
      const wait =
        isLast || !isRetryable(response.status, response.headers, repeatable)
          ? null
          : delayMs(attempt, response.headers, Date.now());
      if (wait === null) throw error;
      await sleep(wait, args.options?.signal);
    }
  }

  /** Returns the response, or null after waiting for the next attempt. */
  async #attempt(
    url: string,
    init: RequestInit,
    options: Options | undefined,
    repeatable: boolean,
    attempt: number,
  ): Promise<{ response: Response; text: string } | null> {
    const timeout = AbortSignal.timeout(options?.timeoutMs ?? this.#settings.timeoutMs);
    const signal = options?.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
    try {
      // "follow" could send the token to another server; edge runtimes do not support "error".
      const response = await this.#settings.fetch(url, { ...init, signal, redirect: "manual" });
      return { response, text: await response.text() };
    } catch (cause) {
      options?.signal?.throwIfAborted();
      const isLast = attempt > this.#settings.maxRetries || !repeatable;
      const wait = isLast ? null : delayMs(attempt, null, Date.now());
      if (wait === null) throw new ConnectionFailed(`No response from ${url}: ${reason(cause)}`, { cause });
      await sleep(wait, options?.signal);
      return null;
    }
  }

  #url(path: string, { path: parameters = {}, query = {} }: Arguments): string {
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => {
      const value = parameters[name];
      if (!value) throw new TypeError(`${name} must not be empty`);
      // URL parsers resolve dot segments, which would change the path.
      if (value === "." || value === "..") throw new TypeError(`${name} must not be "${value}"`);
      return encodeURIComponent(value);
    });
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
    const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
    return this.#settings.baseUrl + filled + (search && `?${search}`);
  }

  #headers({ body, idempotent, options }: Arguments): Record<string, string> {
    const headers: Record<string, string> = { authorization: `Bearer ${this.#settings.token}` };
    if (!isBrowser()) headers["user-agent"] = `patchbay-sdk-typescript/${VERSION}`;
    if (body !== undefined) headers["content-type"] = "application/json";
    if (idempotent) headers["idempotency-key"] = options?.idempotencyKey ?? randomKey();
    if (options?.ifMatch !== undefined) {
      headers["if-match"] = typeof options.ifMatch === "number" ? `"${options.ifMatch}"` : options.ifMatch;
    }
    return headers;
  }
}

/** Whether this is a browser's page or worker, which may send only headers that the API's CORS configuration allows. */
function isBrowser(): boolean {
  return "document" in globalThis || "importScripts" in globalThis;
}

/** 128 random bits. `crypto.randomUUID` is missing on pages without TLS. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Parses the JSON of a response; undefined if it has none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function notPatchbay(response: Response): ApiError {
  const detail = "The response is not Patchbay's. Is baseUrl the address of Patchbay?";
  return new ApiError(response.status, response.headers, { title: "Unexpected response", detail });
}

function reason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? `${cause.message} (${cause.cause.message})` : cause.message;
}
