import type { Tone } from "@components/StatusBadge";
import { TwoLines } from "@components/TwoLines";
import type { ApiKey } from "@sdk/generated/models";
import { apiKeys as t } from "@strings/api-keys";
import classes from "./parts.module.css";
import { wholePreset } from "./scopes";

const SOON_MS = 7 * 86_400_000;
const TONES: Record<ApiKey["status"], Tone> = { ACTIVE: "success", EXPIRED: "neutral", REVOKED: "neutral" };

export function expiresSoon({ status, expiresAt }: ApiKey): boolean {
  return status === "ACTIVE" && expiresAt !== null && Date.parse(expiresAt) - Date.now() < SOON_MS;
}

/** A key's status, or a warning if an active key needs attention. */
export function keyStatus(key: ApiKey): { tone: Tone; children: string } {
  if (expiresSoon(key)) return { tone: "warning", children: t.expiresSoon };
  if (key.status === "ACTIVE" && key.lastError !== null) return { tone: "warning", children: t.rotationFailed };
  return { tone: TONES[key.status], children: t.statuses[key.status] };
}

/** The name of the preset with exactly the key's scopes, or the key's first scope. */
export function accessOf({ scopes }: Pick<ApiKey, "scopes">): string {
  const preset = scopes.length > 1 ? wholePreset(scopes) : null;
  if (preset !== null) return t.presets[preset];
  const [first = "", ...others] = scopes;
  return others.length === 0 ? first : t.andMore(first, others.length);
}

/** Usage of a limit, as a bar with text. */
export function Meter({ used, limit }: { used: number; limit: number }) {
  const share = Math.min(used / limit, 1);
  const state = share >= 1 ? "full" : share >= 0.8 ? "near" : "low";
  return (
    <span className={classes.meter}>
      <span className={classes.words}>
        {t.meter.words(used, limit)}
        {state !== "low" && <span className={classes[state]}>{t.meter.state[state]}</span>}
      </span>
      {/* biome-ignore lint/a11y/useSemanticElements: browsers do not support styling <meter> */}
      <span
        className={classes.track}
        role="meter"
        aria-label={t.meter.label}
        aria-valuemin={0}
        aria-valuemax={limit}
        aria-valuenow={Math.min(used, limit)}
        aria-valuetext={t.meter.words(used, limit)}
      >
        <span className={`${classes.fill} ${classes[state]}`} style={{ width: `${share * 100}%` }} />
      </span>
    </span>
  );
}

/** A key's name, above the masked key. */
export function KeyName({ apiKey }: { apiKey: ApiKey }) {
  return <TwoLines first={apiKey.name} second={<span className={classes.masked}>{apiKey.maskedKey}</span>} />;
}
