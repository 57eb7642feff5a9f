import type {
	IDataObject,
	IExecuteFunctions,
	IHookFunctions,
	IHttpRequestMethods,
	ILoadOptionsFunctions,
	INodePropertyOptions,
	JsonObject,
} from 'n8n-workflow';
import { NodeApiError, sleep } from 'n8n-workflow';

const CREDENTIAL = 'patchbayApi';
const TIMEOUT_MS = 30_000;
const MAX_TRIES = 5;
const FIRST_WAIT_MS = 500;
const MAX_WAIT_MS = 30_000;
const PAGE = 100;
const MAX_CHOICES = 1000;

export type Caller = IExecuteFunctions | IHookFunctions | ILoadOptionsFunctions;

export interface Reply {
	/** 0 without a response, because the connection failed. */
	status: number;
	body: IDataObject;
	/** The platform's Retry-After, in milliseconds. */
	retryAfter: number;
	error?: Error;
}

export interface RequestOptions {
	body?: IDataObject;
	qs?: IDataObject;
	headers?: IDataObject;
	/** Error statuses that the caller handles. */
	expects?: number[];
}

/** Sends one request to a path below `/api/automations/n8n`. Never throws. */
export async function attempt(
	caller: Caller,
	method: IHttpRequestMethods,
	path: string,
	options: RequestOptions = {},
): Promise<Reply> {
	const credentials = await caller.getCredentials(CREDENTIAL);
	const base = String(credentials.baseUrl).replace(/\/+$/, '');
	try {
		const response = await caller.helpers.httpRequestWithAuthentication.call(caller, CREDENTIAL, {
			method,
			url: `${base}/api/automations/n8n${path}`,
			headers: options.headers,
			body: options.body,
			qs: options.qs,
			json: true,
			timeout: TIMEOUT_MS,
			returnFullResponse: true,
			ignoreHttpStatusErrors: true,
		});
		return {
			status: response.statusCode as number,
			body: response.body as IDataObject,
			retryAfter: (Number(response.headers?.['retry-after']) || 0) * 1000,
		};
	} catch (error) {
		return { status: 0, body: {}, retryAfter: 0, error: error as Error };
	}
}

/**
 * Whether the same request may soon succeed. The platform answers 409 with Retry-After while an earlier
 * request with the same Idempotency-Key is still running.
 */
export function isTemporary({ status, retryAfter }: Reply): boolean {
	return status === 0 || status === 429 || status >= 500 || (status === 409 && retryAfter > 0);
}

/** The reply, unless it's an error that the caller doesn't expect. */
export function checked(caller: Caller, reply: Reply, expects: number[] = []): Reply {
	if (expects.includes(reply.status)) return reply;
	const node = caller.getNode();
	if (reply.status === 0) {
		throw new NodeApiError(node, { message: reply.error?.message ?? '' } as JsonObject, {
			message: `The platform can't be reached: ${reply.error?.message ?? 'no answer'}`,
		});
	}
	const isJson = typeof reply.body === 'object' && reply.body !== null;
	if (reply.status >= 400) {
		throw new NodeApiError(node, (isJson ? reply.body : {}) as JsonObject, {
			message: String((isJson && reply.body.detail) || `The platform answered ${reply.status}`),
			httpCode: String(reply.status),
		});
	}
	if (!isJson) {
		throw new NodeApiError(node, {}, { message: 'The base URL is not a Patchbay API' });
	}
	return reply;
}

/**
 * Sends a request, and repeats it a few times while the platform is busy or can't be reached. Repeating is safe:
 * a request that creates something has an Idempotency-Key, or the platform recognizes the repetition.
 */
export async function request(
	caller: Caller,
	method: IHttpRequestMethods,
	path: string,
	options: RequestOptions = {},
): Promise<Reply> {
	let backoff = FIRST_WAIT_MS;
	for (let tries = 1; ; tries++) {
		const reply = await attempt(caller, method, path, options);
		const wait = Math.max(reply.retryAfter, backoff);
		if (!isTemporary(reply) || tries === MAX_TRIES || wait > MAX_WAIT_MS) {
			return checked(caller, reply, options.expects);
		}
		await sleep(wait);
		backoff *= 2;
	}
}

export interface Choice extends IDataObject {
	id: string;
	label: string;
}

/** The choices of a field that takes IDs: up to `limit`, in the platform's order. */
export async function listChoices(
	caller: Caller,
	resource: string,
	limit: number,
	search = '',
): Promise<Choice[]> {
	const found: Choice[] = [];
	while (found.length < limit) {
		const cursor = found.length ? found[found.length - 1].id : '';
		const { body } = await request(caller, 'GET', `/choices/${resource}`, {
			qs: { ...(cursor && { cursor }), ...(search && { search }) },
		});
		const page = body as unknown as Choice[];
		found.push(...page);
		if (page.length < PAGE) break;
	}
	return found.slice(0, limit);
}

/** The choices of a dropdown. */
export async function choices(
	caller: ILoadOptionsFunctions,
	resource: string,
): Promise<INodePropertyOptions[]> {
	const found = await listChoices(caller, resource, MAX_CHOICES);
	return found.map(({ id, label }) => ({ name: label, value: id }));
}

/** Runs of actions, newest first: up to `limit`. */
export async function listRuns(caller: Caller, limit: number, status: string): Promise<IDataObject[]> {
	const found: IDataObject[] = [];
	let cursor: unknown = '';
	while (found.length < limit) {
		const pageLimit = Math.min(PAGE, limit - found.length);
		const { body } = await request(caller, 'GET', '/runs', {
			qs: { limit: pageLimit, ...(cursor ? { cursor: String(cursor) } : {}), ...(status && { status }) },
		});
		found.push(...(body.items as IDataObject[]));
		cursor = body.nextCursor;
		if (!cursor) break;
	}
	return found.slice(0, limit);
}
