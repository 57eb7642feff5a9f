import type {
	IDataObject,
	IExecuteFunctions,
	INodeExecutionData,
	INodeType,
	INodeTypeDescription,
	JsonObject,
} from 'n8n-workflow';
import { NodeApiError, NodeConnectionTypes, sleep } from 'n8n-workflow';

import { request } from '../shared/api';
import { actionFields, loadOptions, operations, resources } from '../shared/catalogue';

const FIRST_LOOK_MS = 500;
const LONGEST_WAIT_MS = 10_000;

/**
 * The action's run once it has ended, or as it stands after so many seconds. It is looked at ever less often:
 * a minute is a dozen requests, which count against the key's limit.
 */
async function ended(node: IExecuteFunctions, run: IDataObject, seconds: number): Promise<IDataObject> {
	const until = Date.now() + seconds * 1000;
	let wait = FIRST_LOOK_MS;
	while (run.status === 'PENDING' && Date.now() < until) {
		await sleep(Math.min(wait, until - Date.now()));
		run = (await request(node, 'GET', `/runs/${String(run.id)}`)).body;
		wait = Math.min(wait * 1.5, LONGEST_WAIT_MS);
	}
	return run;
}

/** Asks the platform for an action, and waits for its answer if that is wanted. */
async function act(node: IExecuteFunctions, operation: string, item: number): Promise<IDataObject> {
	if (operation === 'get_run') {
		const id = node.getNodeParameter('runId', item) as string;
		return (await request(node, 'GET', `/runs/${encodeURIComponent(id)}`)).body;
	}
	const input: IDataObject = { ...(node.getNodeParameter('additionalFields', item, {}) as IDataObject) };
	for (const name of operations[operation]) input[name] = node.getNodeParameter(name, item) as string;
	const started = (await request(node, 'POST', `/actions/${operation}`, { body: { input } })).body;
	const seconds = node.getNodeParameter('waitSeconds', item, 0) as number;
	const run = await ended(node, started, seconds);
	if (run.status === 'FAILED') {
		throw new NodeApiError(node.getNode(), run as JsonObject, {
			message: String(run.error),
			itemIndex: item,
		});
	}
	return run;
}

export class Patchbay implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Patchbay',
		name: 'patchbay',
		icon: { light: 'file:../../icons/patchbay.svg', dark: 'file:../../icons/patchbay.dark.svg' },
		group: ['output'],
		version: 1,
		subtitle: '={{$parameter["operation"]}}',
		description: 'Asks the platform to do something: posts, messages, approvals, campaigns',
		defaults: { name: 'Patchbay' },
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'patchbayApi', required: true }],
		properties: [
			...resources,
			{
				displayName: 'Run ID',
				name: 'runId',
				type: 'string',
				required: true,
				default: '',
				placeholder: 'run_032asvoIJtqWn0GGw1sIDt',
				displayOptions: { show: { resource: ['run'], operation: ['get_run'] } },
			},
			...actionFields,
			{
				displayName: 'Wait for the Result (Seconds)',
				name: 'waitSeconds',
				type: 'number',
				typeOptions: { minValue: 0, maxValue: 900 },
				default: 60,
				displayOptions: { hide: { resource: ['run'] } },
				description: 'How long to wait until the platform has done it; 0 goes on at once with the pending run',
			},
		],
		usableAsTool: true,
	};

	methods = { loadOptions };

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const done: INodeExecutionData[] = [];
		for (let item = 0; item < this.getInputData().length; item++) {
			try {
				const operation = this.getNodeParameter('operation', item) as string;
				done.push({ json: await act(this, operation, item), pairedItem: { item } });
			} catch (error) {
				if (!this.continueOnFail()) {
					throw new NodeApiError(this.getNode(), error as JsonObject, { itemIndex: item });
				}
				done.push({ json: { error: (error as Error).message }, pairedItem: { item } });
			}
		}
		return [done];
	}
}
