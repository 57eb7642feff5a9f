import type { TablerIcon } from "@tabler/icons-react";
import type { ReactNode } from "react";
import classes from "./EmptyState.module.css";

interface Props {
  icon: TablerIcon;
  title: string;
  /** The level of the heading: `h1` if this is the whole page. */
  heading?: "h1" | "h2";
  /** What this is for, and what to do next. */
  text: string;
  /** The button to do it. */
  children?: ReactNode;
}

export function EmptyState({ icon: Icon, title, heading: Heading = "h2", text, children }: Props) {
  return (
    <div className={classes.empty}>
      <span className={classes.icon}>
        <Icon size={22} stroke={1.6} aria-hidden />
      </span>
      <Heading className={classes.title}>{title}</Heading>
      <p className={classes.text}>{text}</p>
      {children}
    </div>
  );
}
