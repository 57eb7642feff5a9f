import { randomUUID } from 'node:crypto';

import type {
	IDataObject,
	IExecuteFunctions,
	INodeExecutionData,
	INodeType,
	INodeTypeDescription,
	JsonObject,
} from 'n8n-workflow';
import { NodeApiError, NodeConnectionTypes, NodeOperationError, sleep } from 'n8n-workflow';

import { attempt, checked, isTemporary, listChoices, listRuns, request } from '../shared/api';
import {
	actionFields,
	actions,
	listFields,
	lists,
	loadOptions,
	operationLabels,
	resources,
} from '../shared/catalogue';
import { withOffset } from '../shared/times';

const FIRST_WAIT_MS = 500;
const MAX_WAIT_MS = 10_000;
// The number of items that run concurrently.
const CONCURRENCY = 5;
const MAX_LISTED = 100_000;

/** The request of an execution for an item. It survives "Retry On Fail" and a retry of the execution. */
interface StoredRequest {
	key: string;
	runId?: string;
}

/**
 * Polls the action's run until it ends or the seconds have passed. The interval grows: a minute takes a dozen
 * requests, which count against the key's limit. A response without the run (429, 5xx, none at all) does not end
 * the polling, because the platform continues the action.
 */
async function pollRun(node: IExecuteFunctions, run: IDataObject, seconds: number): Promise<IDataObject> {
	const until = Date.now() + seconds * 1000;
	let wait = FIRST_WAIT_MS;
	while (run.status === 'PENDING' && Date.now() < until) {
		await sleep(Math.min(wait, until - Date.now()));
		if (node.getExecutionCancelSignal()?.aborted) break;
		const reply = await attempt(node, 'GET', `/runs/${String(run.id)}`);
		wait = Math.min(wait * 1.5, MAX_WAIT_MS);
		if (isTemporary(reply)) wait = Math.max(wait, reply.retryAfter);
		else run = checked(node, reply).body;
	}
	return run;
}

/** The action's input from the item's parameters. */
function inputOf(node: IExecuteFunctions, operation: string, item: number): IDataObject {
	const { required, times, lists: listNames } = actions[operation];
	const input: IDataObject = { ...(node.getNodeParameter('additionalFields', item, {}) as IDataObject) };
	for (const name of required) input[name] = node.getNodeParameter(name, item) as string;
	for (const name of times) {
		if (name in input) input[name] = withOffset(input[name], node.getTimezone()) as string;
	}
	for (const name of listNames) {
		if (!Array.isArray(input[name])) continue;
		const rows = (input[name] as unknown[]).filter((row) => row !== '' && row !== null && row !== undefined);
		if (rows.length) input[name] = rows as string[];
		else delete input[name];
	}
	return input;
}

/** Requests an action from the platform, once per execution and item, however often the node is tried. */
async function start(node: IExecuteFunctions, operation: string, item: number): Promise<IDataObject> {
	const stored = node.getContext('node') as Record<string, StoredRequest>;
	const position = positionOf(node, item);
	stored[position] ??= { key: keyOf(node, item) };
	const { key, runId } = stored[position];
	if (runId) return (await request(node, 'GET', `/runs/${runId}`)).body;
	const reply = await request(node, 'POST', `/actions/${operation}`, {
		body: { input: inputOf(node, operation, item) },
		headers: { 'Idempotency-Key': key },
		expects: [422],
	});
	if (reply.body?.code === 'idempotency_mismatch') {
		throw new NodeOperationError(
			node.getNode(),
			'An earlier try requested this with other values, and may have succeeded',
			{
				itemIndex: item,
				description: 'Check on the platform whether it was done. A new execution requests it again.',
			},
		);
	}
	const run = checked(node, reply).body;
	stored[position].runId = String(run.id);
	return run;
}

function positionOf(node: IExecuteFunctions, item: number): string {
	return `${node.getWorkflowDataProxy(item).$runIndex as number}:${item}`;
}

/** The idempotency key of this execution and item, unique among all n8n instances with the same API key. */
function keyOf(node: IExecuteFunctions, item: number): string {
	const execution = node.getExecutionId() ?? randomUUID();
	const ids = [node.getInstanceId(), execution, node.getNode().id, positionOf(node, item)];
	return `n8n:${ids.join(':')}`;
}

/** Requests an action, and waits for its result if the parameters say so. */
async function act(node: IExecuteFunctions, operation: string, item: number): Promise<IDataObject> {
	const seconds = node.getNodeParameter('waitSeconds', item, 60) as number;
	const run = await pollRun(node, await start(node, operation, item), seconds);
	if (run.status === 'FAILED') {
		// Nothing was done, so the next try may request it again.
		const stored = node.getContext('node') as Record<string, StoredRequest>;
		stored[positionOf(node, item)] = { key: `${keyOf(node, item)}:${String(run.id)}` };
		throw new NodeApiError(node.getNode(), run as JsonObject, {
			message: String((run.error as IDataObject).detail),
			itemIndex: item,
		});
	}
	const isLate = run.status === 'PENDING' && seconds > 0;
	if (isLate && node.getNodeParameter('ifPending', item, 'error') === 'error') {
		throw new NodeOperationError(node.getNode(), `The platform hasn't finished within ${seconds} seconds`, {
			itemIndex: item,
			description:
				`It may still finish. Read the result of run ${String(run.id)} with Run > Get, wait longer, ` +
				'or choose to continue with status PENDING.',
		});
	}
	return run;
}

/** The output of a run, with the run's own fields. */
function simplified(run: IDataObject): IDataObject {
	return {
		...(run.output as IDataObject | null),
		runId: run.id,
		runAction: run.action,
		runStatus: run.status,
		...(run.error ? { runError: run.error } : {}),
	};
}

/** The output of an item: one row, or the rows of a list. */
async function rowsOf(node: IExecuteFunctions, item: number): Promise<IDataObject[]> {
	const resource = node.getNodeParameter('resource', item) as string;
	const operation = node.getNodeParameter('operation', item) as string;
	const filters = node.getNodeParameter('filters', item, {}) as IDataObject;
	const isAll = node.getNodeParameter('returnAll', item, false) as boolean;
	const limit = isAll ? MAX_LISTED : (node.getNodeParameter('limit', item, 50) as number);
	if (operation === 'getMany' && resource !== 'run') {
		return await listChoices(node, lists[resource], limit, String(filters.search ?? ''));
	}
	let runs: IDataObject[];
	if (operation === 'getMany') {
		runs = await listRuns(node, limit, String(filters.status ?? ''));
	} else if (operation === 'get_run') {
		const id = node.getNodeParameter('runId', item) as string;
		runs = [(await request(node, 'GET', `/runs/${encodeURIComponent(id)}`)).body];
	} else {
		runs = [await act(node, operation, item)];
	}
	return node.getNodeParameter('simplify', item, true) ? runs.map(simplified) : runs;
}

export class Patchbay implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Patchbay',
		name: 'patchbay',
		icon: { light: 'file:../../icons/patchbay.svg', dark: 'file:../../icons/patchbay.dark.svg' },
		group: ['output'],
		version: 1,
		subtitle: `={{ (${JSON.stringify(operationLabels)})[$parameter["resource"] + " " + $parameter["operation"]] }}`,
		description: 'Publish and schedule posts, answer messages, decide approvals, and create campaigns',
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
				description: 'The ID of the run, which an action returns as runId',
				displayOptions: { show: { resource: ['run'], operation: ['get_run'] } },
			},
			...actionFields,
			...listFields,
			{
				displayName: 'Wait for the Result (Seconds)',
				name: 'waitSeconds',
				type: 'number',
				typeOptions: { minValue: 0, maxValue: 900 },
				default: 60,
				displayOptions: { show: { operation: Object.keys(actions) } },
				description:
					'How long to wait for the platform to finish; with 0, the workflow continues immediately, with the status PENDING',
			},
			{
				displayName: 'If It Takes Longer',
				name: 'ifPending',
				type: 'options',
				options: [
					{
						name: 'Continue With Status PENDING',
						value: 'continue',
						description: 'Outputs the run ID; read the result later with Run > Get',
					},
					{
						name: 'Stop With an Error',
						value: 'error',
						description: 'The platform may still finish the action',
					},
				],
				default: 'error',
				displayOptions: { show: { operation: Object.keys(actions) }, hide: { waitSeconds: [0] } },
			},
			{
				displayName: 'Simplify',
				name: 'simplify',
				type: 'boolean',
				default: true,
				displayOptions: { show: { operation: [...Object.keys(actions), 'get_run'] } },
				description: 'Whether to return a simplified version of the response instead of the raw data',
			},
			{
				displayName: 'Simplify',
				name: 'simplify',
				type: 'boolean',
				default: true,
				displayOptions: { show: { resource: ['run'], operation: ['getMany'] } },
				description: 'Whether to return a simplified version of the response instead of the raw data',
			},
		],
		usableAsTool: true,
	};

	methods = { loadOptions };

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const count = this.getInputData().length;
		const done: INodeExecutionData[][] = [];
		let next = 0;
		let failure: Error | undefined;

		const work = async () => {
			while (next < count && !failure) {
				const item = next++;
				try {
					const rows = await rowsOf(this, item);
					done[item] = rows.map((json) => ({ json, pairedItem: { item } }));
				} catch (error) {
					if (this.continueOnFail()) {
						done[item] = [{ json: { error: (error as Error).message }, pairedItem: { item } }];
					} else {
						failure ??=
							error instanceof NodeOperationError
								? error
								: new NodeApiError(this.getNode(), error as JsonObject, { itemIndex: item });
					}
				}
			}
		};
		await Promise.all(Array.from({ length: Math.min(CONCURRENCY, count) }, work));
		if (failure) throw failure;
		return [done.flat()];
	}
}
