import type { IDataObject, INode } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import { eventFields } from './catalogue';

interface Row {
	path: string;
	op: string;
	value?: unknown;
}

/**
 * The filters of a hook: what is filled in of the fields of `simple`, then the rows of `advanced`. Values
 * get the type that the event's field has, for the platform compares JSON: `"5"` isn't 5.
 */
export function filtersOf(node: INode, event: string, simple: IDataObject, advanced: Row[]): IDataObject[] {
	const fields = eventFields[event] ?? {};
	const refuse = (problem: string) => new NodeOperationError(node, problem);

	function typed(path: string, value: unknown): unknown {
		const kind = fields[placeOf(path)];
		if (kind === 'list' || kind === 'object') {
			const inner = kind === 'list' ? `${path}.0` : `${path}.name`;
			throw refuse(`Filter: "${path}" is ${kind === 'list' ? 'a list' : 'an object'}; name a value in it, like ${inner}`);
		}
		const text = String(value).trim();
		if (kind === 'boolean') {
			if (/^(true|false)$/i.test(text)) return text.toLowerCase() === 'true';
			throw refuse(`Filter: "${path}" is true or false, not "${text}"`);
		}
		if (kind === 'number') {
			if (text !== '' && Number.isFinite(Number(text))) return Number(text);
			throw refuse(`Filter: "${path}" is a number, not "${text}"`);
		}
		return String(value);
	}

	/** The path as the platform takes it: in the event's data, which `data.` may stand for. */
	function known(given: string): string {
		const path = given.trim();
		for (const one of [path, path.replace(/^data\./, '')]) if (placeOf(one) in fields) return one;
		const names = Object.keys(fields).filter((name) => !name.includes('*'));
		throw refuse(`Filter: this event has no field "${path}". Its fields: ${names.join(', ')}`);
	}

	const found: IDataObject[] = [];
	for (const [path, value] of Object.entries(simple)) {
		// Fields of an event that was chosen before stay in the parameters, unseen.
		if (!(path in fields) || value === '' || value === null || value === undefined) continue;
		found.push({ path, op: 'equals', value: typed(path, value) as string });
	}
	for (const row of advanced) {
		const path = known(row.path);
		if (row.op === 'exists' || row.op === 'missing') {
			found.push({ path, op: 'exists', value: row.op === 'exists' });
		} else if (row.op === 'in') {
			const values = Array.isArray(row.value) ? row.value : String(row.value ?? '').split(',');
			const wanted = values.map((one) => String(one).trim()).filter((one) => one !== '');
			if (!wanted.length) throw refuse(`Filter: "${path}" needs at least one value`);
			found.push({ path, op: 'in', value: wanted.map((one) => typed(path, one)) as string[] });
		} else if (row.value !== '' && row.value !== null && row.value !== undefined) {
			found.push({ path, op: 'equals', value: typed(path, row.value) as string });
		}
	}
	return found;
}

/** A path as the catalogue lists it: `mediaUrls.0` is one of `mediaUrls.*`. */
function placeOf(path: string): string {
	return path.replace(/\.\d+(?=\.|$)/g, '.*');
}
