import { Resources } from "./generated/resources.js";
import { type Fetch, Http } from "./http.js";

export interface PatchbayOptions {
  /** An API key (`sk_…`) or a JWT. Default: the environment variable PATCHBAY_API_KEY. */
  apiKey?: string;
  /** The URL of the deployment. Default: the environment variable PATCHBAY_URL. */
  baseUrl?: string;
  /** The maximum number of retries after temporary errors. Default: 2. */
  maxRetries?: number;
  /** The timeout of each attempt in milliseconds. Default: 30,000. */
  timeoutMs?: number;
  /** Default: the global `fetch`. */
  fetch?: Fetch;
}

/**
 * A client for the Patchbay API. Its methods throw an `ApiError` for error responses, and
 * `ConnectionFailed` if the API does not respond.
 */
export class Patchbay extends Resources {
  constructor(options: PatchbayOptions = {}) {
    const token = (options.apiKey ?? environment("PATCHBAY_API_KEY"))?.trim();
    const baseUrl = options.baseUrl ?? environment("PATCHBAY_URL");
    if (!token) throw new TypeError("No API key: pass apiKey, or set PATCHBAY_API_KEY.");
    // Otherwise, the error for the invalid header would contain the token.
    if (!/^[!-~]+$/.test(token)) throw new TypeError("The API key has invalid characters. Copy it again.");
    if (!baseUrl) throw new TypeError("No URL: pass baseUrl (the ApiUrl of your deployment), or set PATCHBAY_URL.");
    // In a browser, a path is resolved against the page's origin.
    if (!/^(https?:\/)?\//.test(baseUrl)) {
      throw new TypeError(`${baseUrl} is not a valid URL: it must start with https:// or, on this machine, http://.`);
    }
    super(
      new Http({
        baseUrl: baseUrl.replace(/\/+$/, ""),
        token,
        maxRetries: options.maxRetries ?? 2,
        timeoutMs: options.timeoutMs ?? 30_000, // API Gateway ends a request after 30 s
        fetch: options.fetch ?? ((url, init) => fetch(url, init)),
      }),
    );
  }
}

/** Reads an environment variable. Browsers and edge runtimes have none. */
function environment(name: string): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return process?.env?.[name];
}
