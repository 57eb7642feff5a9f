import { EmptyState } from "@components/EmptyState";
import { ErrorPanel } from "@components/ErrorPanel";
import { PageSkeleton } from "@components/Skeletons";
import { connect as t } from "@strings/connect";
import { IconLinkOff } from "@tabler/icons-react";
import { useMemo } from "react";
import classes from "./ConnectPage.module.css";
import { connectClient, useConnectSession } from "./session";

/** The page of a connect link: who asks, and for which accounts. */
export function ConnectPage({ token }: { token: string | null }) {
  const client = useMemo(() => (token === null ? null : connectClient(token)), [token]);
  const loaded = useConnectSession(client);
  return (
    <main className={classes.page}>
      {client === null ? (
        <EmptyState heading="h1" icon={IconLinkOff} title={t.noLinkTitle} text={t.noLink} />
      ) : loaded.status === "loading" ? (
        <PageSkeleton />
      ) : loaded.status === "failed" ? (
        <ErrorPanel error={loaded.error} />
      ) : (
        <>
          <h1 className={classes.title}>{t.heading(loaded.session.workspaceName ?? loaded.session.workspaceId)}</h1>
          {loaded.session.requestedBy && <p>{t.requestedBy(loaded.session.requestedBy)}</p>}
          <ul aria-label={t.integrations}>
            {loaded.session.integrations.map(({ id, name }) => (
              <li key={id}>{name}</li>
            ))}
          </ul>
        </>
      )}
    </main>
  );
}
