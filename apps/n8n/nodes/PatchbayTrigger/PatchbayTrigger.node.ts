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

interface DesiredHook extends IDataObject {
	url: string;
	eventType: string;
	filters: IDataObject[];
}

/** The hook that the workflow needs with its current parameters. */
function desiredHook(hook: IHookFunctions): DesiredHook {
	const event = hook.getNodeParameter('event') as string;
	const simple = hook.getNodeParameter('filters', {}) as IDataObject;
	const advanced = hook.getNodeParameter('advancedFilters', {}) as { filter?: Array<{ path: string; op: string }> };
	return {
		url: hook.getNodeWebhookUrl('default') as string,
		eventType: event,
		filters: filtersOf(hook.getNode(), event, simple, advanced.filter ?? []),
	};
}

function forget(stored: IDataObject): void {
	delete stored.hookId;
	delete stored.secret;
}

/**
 * The stored hook of this workflow, if it exists. Exports and copies of a workflow include the static data of the
 * original: a hook with another URL belongs to another workflow, so it's removed from the data and left unchanged.
 */
async function ownHook(hook: IHookFunctions, stored: IDataObject): Promise<IDataObject | undefined> {
	if (!stored.hookId) return undefined;
	const path = `/hooks/${String(stored.hookId)}`;
	const { status, body } = await request(hook, 'GET', path, { expects: [404] });
	if (status !== 404 && body.url === hook.getNodeWebhookUrl('default')) return body;
	forget(stored);
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
			 * Whether the hook exists, is active or paused, and matches the current parameters. `create` reactivates a hook
			 * that the platform has disabled, and so recovers its undelivered events. A paused one stays paused when n8n
			 * restarts.
			 */
			async checkExists(this: IHookFunctions): Promise<boolean> {
				const stored = this.getWorkflowStaticData('node');
				const now = desiredHook(this);
				const hook = await ownHook(this, stored);
				if (!hook) return false;
				const isWanted =
					hook.eventType === now.eventType && JSON.stringify(hook.filters) === JSON.stringify(now.filters);
				const isSubscribed = hook.status === 'ACTIVE' || hook.status === 'PAUSED';
				if (isWanted) return isSubscribed && Boolean(stored.secret);
				await unsubscribe(this, hook.id);
				forget(stored);
				return false;
			},

			/** Subscribes. The platform brings back a hook that is disabled or was deleted recently, under its ID. */
			async create(this: IHookFunctions): Promise<boolean> {
				const stored = this.getWorkflowStaticData('node');
				const body = desiredHook(this);
				let hook = (await request(this, 'POST', '/hooks', { body })).body;
				const isKnown = stored.hookId === hook.id && Boolean(stored.secret);
				if (!hook.secret && !isKnown) {
					// Its secret is lost, and without the secret no signature could be checked.
					await unsubscribe(this, hook.id);
					hook = (await request(this, 'POST', '/hooks', { body })).body;
				}
				if (!hook.secret && !isKnown) {
					throw new NodeOperationError(this.getNode(), 'The platform returned no signing secret. Publish the workflow again.');
				}
				stored.hookId = hook.id;
				if (hook.secret) stored.secret = hook.secret;
				return true;
			},

			/** Unsubscribes. The platform keeps the hook's deliveries, and reuses its ID for the same subscription. */
			async delete(this: IHookFunctions): Promise<boolean> {
				const stored = this.getWorkflowStaticData('node');
				const hook = await ownHook(this, stored);
				if (hook) await unsubscribe(this, hook.id);
				forget(stored);
				return true;
			},
		},
	};

	/** Receives an event. A request without the platform's signature gets 401 and starts nothing. */
	async webhook(this: IWebhookFunctions): Promise<IWebhookResponseData> {
		const { secret } = this.getWorkflowStaticData('node');
		const { rawBody } = this.getRequestObject() as unknown as { rawBody?: Buffer };
		const isGenuine =
			typeof secret === 'string' &&
			Buffer.isBuffer(rawBody) &&
			isSigned(this.getHeaderData() as Record<string, unknown>, rawBody, secret);
		if (!isGenuine) {
			this.getResponseObject().status(401).json({ message: 'Invalid signature' });
			return { noWebhookResponse: true };
		}
		// The signed body, not the parsed one.
		const event = JSON.parse(rawBody.toString('utf8')) as IDataObject;
		return { workflowData: [this.helpers.returnJsonArray([event])] };
	}
}
