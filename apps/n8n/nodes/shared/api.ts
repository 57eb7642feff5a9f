import type {
	IDataObject,
	IExecuteFunctions,
	IHookFunctions,
	IHttpRequestMethods,
	ILoadOptionsFunctions,
	INodePropertyOptions,
	JsonObject,
} from 'n8n-workflow';
import { NodeApiError } from 'n8n-workflow';

const CREDENTIAL = 'patchbayApi';
const PAGE = 100;
const MOST_CHOICES = 1000;

type Caller = IExecuteFunctions | IHookFunctions | ILoadOptionsFunctions;

export interface Reply {
	status: number;
	body: IDataObject;
}

/**
 * A request to the platform, below `/api/automations/n8n`. Throws what its problem+json says, unless the
 * status is one that the caller `expects`.
 */
export async function request(
	caller: Caller,
	method: IHttpRequestMethods,
	path: string,
	more: { body?: IDataObject; qs?: IDataObject; expects?: number[] } = {},
): Promise<Reply> {
	const credentials = await caller.getCredentials(CREDENTIAL);
	const base = String(credentials.baseUrl).replace(/\/+$/, '');
	const response = await caller.helpers.httpRequestWithAuthentication.call(caller, CREDENTIAL, {
		method,
		url: `${base}/api/automations/n8n${path}`,
		body: more.body,
		qs: more.qs,
		json: true,
		returnFullResponse: true,
		ignoreHttpStatusErrors: true,
	});
	const reply = { status: response.statusCode as number, body: response.body as IDataObject };
	if (reply.status >= 400 && !more.expects?.includes(reply.status)) {
		throw new NodeApiError(caller.getNode(), reply.body as JsonObject, {
			message: String(reply.body?.detail ?? 'The platform did not answer as it should'),
			httpCode: String(reply.status),
		});
	}
	return reply;
}

/** What a field that takes ids may hold, for a dropdown: up to a thousand. */
export async function choices(
	caller: ILoadOptionsFunctions,
	resource: string,
): Promise<INodePropertyOptions[]> {
	const found: INodePropertyOptions[] = [];
	let cursor = '';
	while (found.length < MOST_CHOICES) {
		const { body } = await request(caller, 'GET', `/choices/${resource}`, {
			qs: cursor ? { cursor } : {},
		});
		const page = body as unknown as Array<{ id: string; label: string }>;
		found.push(...page.map(({ id, label }) => ({ name: label, value: id })));
		if (page.length < PAGE) break;
		cursor = page[page.length - 1].id;
	}
	return found;
}
