import { common as t } from "@strings/common";
import { IconChevronRight } from "@tabler/icons-react";
import { type ReactNode, useEffect } from "react";
import classes from "./PageHeader.module.css";

interface Props {
  title: string;
  /** A line about the page, shown below the title. */
  text?: ReactNode;
  /** A status next to the title. */
  status?: ReactNode;
  /** A link to the list that this page belongs to. */
  parent?: ReactNode;
  /** Buttons; the primary one is last. */
  children?: ReactNode;
}

/** The header of a page. It also sets the title of the browser tab. */
export function PageHeader({ title, text, status, parent, children }: Props) {
  useEffect(() => {
    document.title = `${title} · ${t.product}`;
  }, [title]);
  return (
    <header className={classes.header}>
      {parent && (
        <div className={classes.back}>
          {parent}
          <IconChevronRight size={14} aria-hidden />
        </div>
      )}
      <div className={classes.row}>
        <div className={classes.about}>
          <div className={classes.heading}>
            <h1 className={classes.title}>{title}</h1>
            {status}
          </div>
          {text && <div className={classes.text}>{text}</div>}
        </div>
        {children && <div className={classes.actions}>{children}</div>}
      </div>
    </header>
  );
}
