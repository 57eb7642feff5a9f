import { createHmac, timingSafeEqual } from 'node:crypto';

const PREFIX = 'whsec_';
const TOLERANCE_SECONDS = 5 * 60;

/**
 * Whether a request was signed with this secret, by Standard Webhooks 1.0.0: HMAC-SHA256 of `id.timestamp.body`.
 * The header has a signature for each active secret, separated by spaces. A timestamp that is more than five
 * minutes off is rejected, because the request may be a replay.
 */
export function isSigned(
	headers: Record<string, unknown>,
	body: Buffer,
	secret: string,
	now: number = Date.now(),
): boolean {
	const id = headers['webhook-id'];
	const timestamp = headers['webhook-timestamp'];
	const signatures = headers['webhook-signature'];
	if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signatures !== 'string') {
		return false;
	}
	if (!/^\d{1,12}$/.test(timestamp)) return false;
	if (Math.abs(now / 1000 - Number(timestamp)) > TOLERANCE_SECONDS) return false;
	const key = Buffer.from(secret.replace(PREFIX, ''), 'base64');
	if (key.length === 0) return false;
	const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
	return signatures.split(' ').some((signature) => {
		const [version, value] = signature.split(',');
		if (version !== 'v1' || value === undefined) return false;
		const given = Buffer.from(value, 'base64');
		return given.length === expected.length && timingSafeEqual(given, expected);
	});
}
