const WITHOUT_OFFSET = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?))?$/;
const DAY_MS = 86_400_000;

/**
 * Adds the offset to a time. n8n's date picker returns `2026-10-28T09:00:00`, a time in the workflow's timezone; a
 * date without a time means midnight. Anything else is returned unchanged.
 */
export function withOffset(value: unknown, zone: string): unknown {
	if (value instanceof Date) return value.toISOString();
	const parts = typeof value === 'string' ? WITHOUT_OFFSET.exec(value.trim()) : null;
	if (!parts) return value;
	const asUtc = Date.parse(`${parts[1]}T${parts[2] ?? '00:00'}Z`);
	if (Number.isNaN(asUtc)) return value;
	return new Date(instant(asUtc, zone)).toISOString();
}

/**
 * The instant at which clocks in the zone show the time that clocks in UTC show at `asUtc`. If clocks are set back
 * and show it twice, the first instant; if they are set forward and skip it, the instant later by the same amount.
 */
function instant(asUtc: number, zone: string): number {
	const offsets = [offset(asUtc - DAY_MS, zone), offset(asUtc + DAY_MS, zone)];
	const shown = offsets.filter((ahead) => offset(asUtc - ahead, zone) === ahead);
	return asUtc - (shown.length ? Math.max(...shown) : offsets[0]);
}

/** The zone's offset from UTC at an instant, in milliseconds. */
function offset(at: number, zone: string): number {
	const format = new Intl.DateTimeFormat('en-US', {
		timeZone: zone,
		hourCycle: 'h23',
		year: 'numeric',
		month: 'numeric',
		day: 'numeric',
		hour: 'numeric',
		minute: 'numeric',
		second: 'numeric',
	});
	const shown: Record<string, number> = {};
	for (const { type, value } of format.formatToParts(at)) shown[type] = Number(value);
	const { year, month, day, hour, minute, second } = shown;
	return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000;
}
