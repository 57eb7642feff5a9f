import { IconAlertTriangle, IconCheck, IconClock, IconMinus, IconX } from "@tabler/icons-react";
import classes from "./StatusBadge.module.css";

export type Tone = "success" | "warning" | "danger" | "info" | "neutral";

const ICONS = { success: IconCheck, warning: IconAlertTriangle, danger: IconX, info: IconClock, neutral: IconMinus };

/** A status as a word with an icon: never as a color alone. A feature maps its statuses to tones and words. */
export function StatusBadge({ tone, children }: { tone: Tone; children: string }) {
  const Icon = ICONS[tone];
  return (
    <span className={`${classes.badge} ${classes[tone]}`}>
      <Icon size={12} stroke={2.5} aria-hidden />
      {children}
    </span>
  );
}
