import type { Tone } from "@components/StatusBadge";
import { IconAlertTriangle, IconCircleCheck, IconCircleX, IconInfoCircle } from "@tabler/icons-react";
import type { ReactNode } from "react";
import classes from "./Notice.module.css";

const ICONS = {
  success: IconCircleCheck,
  warning: IconAlertTriangle,
  danger: IconCircleX,
  info: IconInfoCircle,
  neutral: IconInfoCircle,
};

interface Props {
  tone: Tone;
  title: string;
  /** What the state means and what to do. */
  children?: ReactNode;
  /** Buttons for what to do. */
  actions?: ReactNode;
}

/** Describes a state, and what to do about it. */
export function Notice({ tone, title, children, actions }: Props) {
  const Icon = ICONS[tone];
  return (
    <div className={`${classes.notice} ${classes[tone]}`}>
      <Icon size={18} className={classes.icon} aria-hidden />
      <div className={classes.body}>
        <p className={classes.title}>{title}</p>
        {children}
        {actions && <div className={classes.actions}>{actions}</div>}
      </div>
    </div>
  );
}
