import { PageHeader } from "@components/PageHeader";
import { connections as t } from "@strings/connections";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import classes from "./integrations.module.css";

/** The header of the two pages about accounts: the connected accounts, and the links for connecting one. */
export function ConnectionsHeader({ text, children }: { text: string; children: ReactNode }) {
  return (
    <>
      <PageHeader title={t.title} text={text}>
        {children}
      </PageHeader>
      <nav className={classes.tabs} aria-label={t.title}>
        <Link to="/connections" activeOptions={{ exact: true, includeSearch: false }} className={classes.tab}>
          {t.tabs.accounts}
        </Link>
        <Link to="/connections/links" className={classes.tab}>
          {t.tabs.links}
        </Link>
      </nav>
    </>
  );
}
