import { StatusBadge, type Tone } from "@components/StatusBadge";
import type { AuditEntry } from "@sdk/generated/models";
import { audit as t } from "@strings/audit";

const TONES: Record<AuditEntry["outcome"], Tone> = { SUCCEEDED: "success", REFUSED: "warning", FAILED: "danger" };

export function Outcome({ entry: { outcome } }: { entry: AuditEntry }) {
  return <StatusBadge tone={TONES[outcome]}>{t.outcomes[outcome]}</StatusBadge>;
}
