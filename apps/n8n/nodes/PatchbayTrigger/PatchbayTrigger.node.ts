import type {
	IDataObject,
	IHookFunctions,
	INodeType,
	INodeTypeDescription,
	IWebhookFunctions,
	IWebhookResponseData,
} from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';

import { request } from '../shared/api';
import { events, filterFields, filterPaths, loadOptions } from '../shared/catalogue';
import { isSigned } from '../shared/signature';

interface Wanted extends IDataObject {
	targetUrl: string;
	event: string;
	filters: IDataObject[];
}

/** What the workflow listens to, as it is set up now. Fields that nobody filled in filter nothing. */
function wanted(hook: IHookFunctions): Wanted {
	const event = hook.getNodeParameter('event') as string;
	const filters: IDataObject[] = [];
	for (const path of filterPaths[event] ?? []) {
		const value = hook.getNodeParameter(path, '') as string;
		if (value) filters.push({ path, op: 'equals', value });
	}
	const more = hook.getNodeParameter('filters', {}) as { filter?: IDataObject[] };
	for (const { path, op, value } of more.filter ?? []) {
		if (op === 'exists') filters.push({ path, op, value: true });
		else if (op === 'in') filters.push({ path, op, value: String(value).split(',').map((one) => one.trim()) });
		else filters.push({ path, op, value });
	}
	return { targetUrl: hook.getNodeWebhookUrl('default') as string, event, filters };
}

export class PatchbayTrigger implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Patchbay Trigger',
		name: 'patchbayTrigger',
		icon: { light: 'file:../../icons/patchbay.svg', dark: 'file:../../icons/patchbay.dark.svg' },
		group: ['trigger'],
		version: 1,
		subtitle: '={{$parameter["event"]}}',
		description: 'Starts the workflow when something happens on the platform',
		defaults: { name: 'Patchbay Trigger' },
		inputs: [],
		outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'patchbayApi', required: true }],
		webhooks: [
			{
				name: 'default',
				httpMethod: 'POST',
				responseMode: 'onReceived',
				path: 'webhook',
				rawBody: true,
			},
		],
		properties: [
			{
				displayName: 'Event',
				name: 'event',
				type: 'options',
				noDataExpression: true,
				required: true,
				default: 'POST_PUBLISHED',
				options: events,
			},
			...filterFields,
			{
				displayName: 'More Filters',
				name: 'filters',
				type: 'fixedCollection',
				typeOptions: { multipleValues: true },
				default: {},
				placeholder: 'Add Filter',
				description: 'Only events that pass all of them start the workflow',
				options: [
					{
						displayName: 'Filter',
						name: 'filter',
						values: [
							{
								displayName: 'Field',
								name: 'path',
								type: 'string',
								default: '',
								placeholder: 'network',
								description: 'A field of the event’s data; of one within another, post.channel',
							},
							{
								displayName: 'Condition',
								name: 'op',
								type: 'options',
								default: 'equals',
								options: [
									{ name: 'Equals', value: 'equals' },
									{ name: 'Is One Of', value: 'in' },
									{ name: 'Is There', value: 'exists' },
								],
							},
							{
								displayName: 'Value',
								name: 'value',
								type: 'string',
								default: '',
								displayOptions: { hide: { op: ['exists'] } },
								description: 'Of several, separated by commas',
							},
						],
					},
				],
			},
		],
	};

	methods = { loadOptions };

	webhookMethods = {
		default: {
			/** Whether our hook is there and is what is wanted now; one that is not is taken away. */
			async checkExists(this: IHookFunctions): Promise<boolean> {
				const kept = this.getWorkflowStaticData('node');
				if (!kept.hookId) return false;
				const place = `/hooks/${String(kept.hookId)}`;
				const { status, body } = await request(this, 'GET', place, { expects: [404] });
				const now = wanted(this);
				const isOurs =
					status !== 404 &&
					Boolean(kept.secret) &&
					body.status === 'ACTIVE' &&
					body.targetUrl === now.targetUrl &&
					body.event === now.event &&
					JSON.stringify(body.filters) === JSON.stringify(now.filters);
				if (isOurs) return true;
				if (status !== 404) await request(this, 'DELETE', place, { expects: [404] });
				delete kept.hookId;
				delete kept.secret;
				return false;
			},

			async create(this: IHookFunctions): Promise<boolean> {
				const kept = this.getWorkflowStaticData('node');
				const body = wanted(this);
				let hook = (await request(this, 'POST', '/hooks', { body })).body;
				if (!hook.secret) {
					// It is there, and nobody knows its secret any more: without that nothing could be checked.
					await request(this, 'DELETE', `/hooks/${String(hook.id)}`, { expects: [404] });
					hook = (await request(this, 'POST', '/hooks', { body })).body;
				}
				kept.hookId = hook.id;
				kept.secret = hook.secret;
				return true;
			},

			async delete(this: IHookFunctions): Promise<boolean> {
				const kept = this.getWorkflowStaticData('node');
				if (kept.hookId) {
					await request(this, 'DELETE', `/hooks/${String(kept.hookId)}`, { expects: [404] });
				}
				delete kept.hookId;
				delete kept.secret;
				return true;
			},
		},
	};

	/** An event; what is not signed by the platform is answered 401 and starts nothing. */
	async webhook(this: IWebhookFunctions): Promise<IWebhookResponseData> {
		const { secret } = this.getWorkflowStaticData('node');
		const { rawBody } = this.getRequestObject() as unknown as { rawBody?: Buffer };
		const isGenuine =
			typeof secret === 'string' &&
			Buffer.isBuffer(rawBody) &&
			isSigned(this.getHeaderData() as Record<string, unknown>, rawBody, secret);
		if (!isGenuine) {
			this.getResponseObject().status(401).json({ message: 'The signature does not hold' });
			return { noWebhookResponse: true };
		}
		// What was signed, not what a parser made of it.
		const event = JSON.parse(rawBody.toString('utf8')) as IDataObject;
		return { workflowData: [this.helpers.returnJsonArray([event])] };
	}
}
