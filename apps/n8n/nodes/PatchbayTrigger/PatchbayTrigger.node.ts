import type {
	IDataObject,
	IHookFunctions,
	INodeType,
	INodeTypeDescription,
	IWebhookFunctions,
	IWebhookResponseData,
} from 'n8n-workflow';
import { NodeConnectionTypes, NodeOperationError } from 'n8n-workflow';

import { request } from '../shared/api';
import { events, filterFields, loadOptions } from '../shared/catalogue';
import { filtersOf } from '../shared/filters';
import { isSigned } from '../shared/signature';

const eventLabels = Object.fromEntries(events.map(({ name, value }) => [String(value), name]));

interface Wanted extends IDataObject {
	targetUrl: string;
	event: string;
	filters: IDataObject[];
}

/** What the workflow listens to, as it is set up now. */
function wanted(hook: IHookFunctions): Wanted {
	const event = hook.getNodeParameter('event') as string;
	const simple = hook.getNodeParameter('filters', {}) as IDataObject;
	const advanced = hook.getNodeParameter('advancedFilters', {}) as { filter?: Array<{ path: string; op: string }> };
	return {
		targetUrl: hook.getNodeWebhookUrl('default') as string,
		event,
		filters: filtersOf(hook.getNode(), event, simple, advanced.filter ?? []),
	};
}

function forget(kept: IDataObject): void {
	delete kept.hookId;
	delete kept.secret;
}

/**
 * The hook that this workflow keeps, if it's there. Exports and copies of a workflow carry what the original
 * keeps: a hook that leads to another address is somebody else's, so it's forgotten and left alone.
 */
async function ownHook(hook: IHookFunctions, kept: IDataObject): Promise<IDataObject | undefined> {
	if (!kept.hookId) return undefined;
	const place = `/hooks/${String(kept.hookId)}`;
	const { status, body } = await request(hook, 'GET', place, { expects: [404] });
	if (status !== 404 && body.targetUrl === hook.getNodeWebhookUrl('default')) return body;
	forget(kept);
	return undefined;
}

async function unsubscribe(hook: IHookFunctions, id: unknown): Promise<void> {
	await request(hook, 'DELETE', `/hooks/${String(id)}`, { expects: [404] });
}

export class PatchbayTrigger implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Patchbay Trigger',
		name: 'patchbayTrigger',
		icon: { light: 'file:../../icons/patchbay.svg', dark: 'file:../../icons/patchbay.dark.svg' },
		group: ['trigger'],
		version: 1,
		subtitle: `={{ (${JSON.stringify(eventLabels)})[$parameter["event"]] }}`,
		// The editor shows one entry for this node and the other, with this sentence.
		description:
			'Start workflows when something happens to posts, messages, approvals, or campaigns, and act on them',
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
				displayName: 'Advanced Filters',
				name: 'advancedFilters',
				type: 'fixedCollection',
				typeOptions: { multipleValues: true },
				default: {},
				placeholder: 'Add Condition',
				description: 'Only events that meet all conditions start the workflow',
				options: [
					{
						displayName: 'Condition',
						name: 'filter',
						values: [
							{
								displayName: 'Field',
								name: 'path',
								type: 'string',
								required: true,
								default: '',
								placeholder: 'network',
								description:
									"A field of the event's data. Use dots for a value inside another and numbers for one of a list, like mediaUrls.0.",
							},
							{
								displayName: 'Condition',
								name: 'op',
								type: 'options',
								default: 'equals',
								options: [
									{ name: 'Does Not Exist', value: 'missing' },
									{ name: 'Equals', value: 'equals' },
									{ name: 'Exists', value: 'exists' },
									{ name: 'Is One Of', value: 'in' },
								],
							},
							{
								displayName: 'Value',
								name: 'value',
								type: 'string',
								default: '',
								displayOptions: { hide: { op: ['exists', 'missing'] } },
								description: 'Separate several with commas',
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
			/**
			 * Whether our hook is there, delivers, and is what is wanted now. One that the platform has disabled is left
			 * for `create` to bring back, with what wasn't delivered.
			 */
			async checkExists(this: IHookFunctions): Promise<boolean> {
				const kept = this.getWorkflowStaticData('node');
				const now = wanted(this);
				const hook = await ownHook(this, kept);
				if (!hook) return false;
				const isWanted =
					hook.event === now.event && JSON.stringify(hook.filters) === JSON.stringify(now.filters);
				if (isWanted) return hook.status === 'ACTIVE' && Boolean(kept.secret);
				await unsubscribe(this, hook.id);
				forget(kept);
				return false;
			},

			/** Subscribes. The platform brings back a hook that is disabled or was deleted recently, under its ID. */
			async create(this: IHookFunctions): Promise<boolean> {
				const kept = this.getWorkflowStaticData('node');
				const body = wanted(this);
				let hook = (await request(this, 'POST', '/hooks', { body })).body;
				const isKnown = kept.hookId === hook.id && Boolean(kept.secret);
				if (!hook.secret && !isKnown) {
					// Nobody knows its secret any more, and without that nothing could be checked.
					await unsubscribe(this, hook.id);
					hook = (await request(this, 'POST', '/hooks', { body })).body;
				}
				if (!hook.secret && !isKnown) {
					throw new NodeOperationError(this.getNode(), 'The platform gave no signing secret; publish again');
				}
				kept.hookId = hook.id;
				if (hook.secret) kept.secret = hook.secret;
				return true;
			},

			/** Unsubscribes. The platform keeps the hook's deliveries, and its ID for when it's subscribed again. */
			async delete(this: IHookFunctions): Promise<boolean> {
				const kept = this.getWorkflowStaticData('node');
				const hook = await ownHook(this, kept);
				if (hook) await unsubscribe(this, hook.id);
				forget(kept);
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
