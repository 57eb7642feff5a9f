import { Resources } from "./generated/resources.js";
import { type Fetch, Http } from "./http.js";

export interface PatchbayOptions {
  /** An API key (`sk_…`) or a JWT. Default: the environment variable PATCHBAY_API_KEY. */
  apiKey?: string;
  /** The address of the deployment. Default: the environment variable PATCHBAY_URL. */
  baseUrl?: string;
  /** How often a request is repeated that failed for a temporary reason. Default: 2. */
  maxRetries?: number;
  /** Milliseconds for each attempt. Default: 30,000. */
  timeoutMs?: number;
  /** Default: the global `fetch`. */
  fetch?: Fetch;
}

/**
 * A client of Patchbay's API. Its methods throw an `ApiError` for a problem that the API reports, and
 * `ConnectionFailed` if the API does not answer.
 */
export class Patchbay extends Resources {
  constructor(options: PatchbayOptions = {}) {
    const token = (options.apiKey ?? environment("PATCHBAY_API_KEY"))?.trim();
    const baseUrl = options.baseUrl ?? environment("PATCHBAY_URL");
    if (!token) throw new TypeError("No API key: pass apiKey, or set PATCHBAY_API_KEY.");
    // Otherwise, the error for the invalid header would show it.
    if (!/^[!-~]+$/.test(token)) throw new TypeError("The API key has characters that no key has. Copy it again.");
    if (!baseUrl) throw new TypeError("No address: pass baseUrl (the ApiUrl of your deployment), or set PATCHBAY_URL.");
    // A path is one of the page's own origin, in a browser.
    if (!/^(https?:\/)?\//.test(baseUrl)) {
      throw new TypeError(`${baseUrl} is not an address: it starts with https:// or, on this machine, http://.`);
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

/** Browsers and edge runtimes have no environment. */
function environment(name: string): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return process?.env?.[name];
}
