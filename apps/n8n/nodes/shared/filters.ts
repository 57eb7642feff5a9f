import type { IDataObject, INode } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import { eventFields } from './catalogue';

interface Row {
	path: string;
	op: string;
	value?: unknown;
}

/**
 * The filters of a hook: the fields of `simple` that have a value, then the rows of `advanced`. Values get the
 * type of the event's field, because the platform compares JSON: `"5"` isn't 5.
 */
export function filtersOf(node: INode, event: string, simple: IDataObject, advanced: Row[]): IDataObject[] {
	const fields = eventFields[event] ?? {};
	const invalid = (problem: string) => new NodeOperationError(node, problem);

	function typed(path: string, value: unknown): unknown {
		const kind = fields[pattern(path)];
		if (kind === 'list' || kind === 'object') {
			const inner = kind === 'list' ? `${path}.0` : `${path}.name`;
			throw invalid(`Filter: "${path}" is ${kind === 'list' ? 'a list' : 'an object'}; name a value in it, such as ${inner}`);
		}
		const text = String(value).trim();
		if (kind === 'boolean') {
			if (/^(true|false)$/i.test(text)) return text.toLowerCase() === 'true';
			throw invalid(`Filter: "${path}" must be true or false, not "${text}"`);
		}
		if (kind === 'number') {
			if (text !== '' && Number.isFinite(Number(text))) return Number(text);
			throw invalid(`Filter: "${path}" must be a number, not "${text}"`);
		}
		return String(value);
	}

	/** The path in the event's data, as the platform expects it. A leading `data.` is optional. */
	function normalized(input: string): string {
		const path = input.trim();
		for (const candidate of [path, path.replace(/^data\./, '')]) if (pattern(candidate) in fields) return candidate;
		const names = Object.keys(fields).filter((name) => !name.includes('*'));
		throw invalid(`Filter: this event has no field "${path}". Its fields: ${names.join(', ')}`);
	}

	const filters: IDataObject[] = [];
	for (const [path, value] of Object.entries(simple)) {
		// Hidden fields of a previously chosen event stay in the parameters.
		if (!(path in fields) || value === '' || value === null || value === undefined) continue;
		filters.push({ path, op: 'equals', value: typed(path, value) as string });
	}
	for (const row of advanced) {
		const path = normalized(row.path);
		if (row.op === 'exists' || row.op === 'missing') {
			filters.push({ path, op: 'exists', value: row.op === 'exists' });
		} else if (row.op === 'in') {
			const values = Array.isArray(row.value) ? row.value : String(row.value ?? '').split(',');
			const wanted = values.map((one) => String(one).trim()).filter((one) => one !== '');
			if (!wanted.length) throw invalid(`Filter: "${path}" needs at least one value`);
			filters.push({ path, op: 'in', value: wanted.map((one) => typed(path, one)) as string[] });
		} else if (row.value !== '' && row.value !== null && row.value !== undefined) {
			filters.push({ path, op: 'equals', value: typed(path, row.value) as string });
		}
	}
	return filters;
}

/** A path in the catalogue's form: `mediaUrls.0` becomes `mediaUrls.*`. */
function pattern(path: string): string {
	return path.replace(/\.\d+(?=\.|$)/g, '.*');
}
