import { isHttp } from "@api/providerWindow";
import { EmptyState } from "@components/EmptyState";
import { ErrorPanel } from "@components/ErrorPanel";
import { Monogram } from "@components/Monogram";
import { problemOf } from "@components/problem";
import { PageSkeleton } from "@components/Skeletons";
import { exactTime } from "@components/TimeAgo";
import { Button } from "@mantine/core";
import type { Patchbay } from "@sdk/client";
import { ApiError } from "@sdk/errors";
import type { ConnectableIntegration, Connection, ConnectPage as Session } from "@sdk/generated/models";
import { connect as t } from "@strings/connect";
import { IconArrowsLeftRight, IconCircleCheck, IconLinkOff, IconPlugConnectedX } from "@tabler/icons-react";
import { type ReactNode, useMemo, useState } from "react";
import { ByCredentials } from "./ByCredentials";
import { ByProvider } from "./ByProvider";
import { Choice } from "./Choice";
import classes from "./ConnectPage.module.css";
import { connectClient, labelOf, useConnectSession } from "./session";

/** The page of a connect link: who requests access to which account, and how to connect it. */
export function ConnectPage({ token }: { token: string | null }) {
  const client = useMemo(() => (token === null ? null : connectClient(token)), [token]);
  const { loaded, reload } = useConnectSession(client);
  return (
    <main className={classes.page}>
      {client === null ? (
        <EmptyState heading="h1" icon={IconLinkOff} title={t.noLinkTitle} text={t.noLink} />
      ) : loaded.status === "loading" ? (
        <PageSkeleton />
      ) : loaded.status === "failed" ? (
        <Failed error={loaded.error} onRetry={reload} />
      ) : loaded.session.status === "COMPLETED" ? (
        <EmptyState heading="h1" icon={IconLinkOff} title={t.usedTitle} text={t.used}>
          <GoBack url={loaded.session.returnUrl} />
        </EmptyState>
      ) : loaded.session.integrations.length === 0 ? (
        <EmptyState heading="h1" icon={IconPlugConnectedX} title={t.nothingTitle} text={t.nothing} />
      ) : (
        <Open client={client} session={loaded.session} />
      )}
    </main>
  );
}

/** For a revoked, expired or unknown link, the API says which it is. Other errors may be temporary. */
function Failed({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  if (!(error instanceof ApiError && error.status === 401)) {
    return (
      <>
        <h1 className={classes.title}>{t.title}</h1>
        <ErrorPanel error={error} onRetry={onRetry} />
      </>
    );
  }
  return <EmptyState heading="h1" icon={IconLinkOff} title={t.deadTitle} text={problemOf(error).detail} />;
}

function Open({ client, session }: { client: Patchbay; session: Session }) {
  const { integrations, returnUrl } = session;
  const only = integrations.length === 1 ? integrations[0] : undefined;
  const [chosen, setChosen] = useState<ConnectableIntegration | null>(only ?? null);
  const [connection, setConnection] = useState<Connection | null>(null);
  const who = session.workspaceName ?? session.workspaceId;

  if (connection !== null) {
    return (
      <EmptyState
        heading="h1"
        icon={IconCircleCheck}
        title={t.doneTitle(connection.account.label ?? (chosen ? labelOf(chosen) : connection.connectionId))}
        text={t.done(who)}
      >
        <GoBack url={returnUrl} />
      </EmptyState>
    );
  }
  return (
    <>
      <Who session={session} who={who} chosen={chosen} />
      {chosen === null ? (
        <Choice integrations={integrations} onChoose={setChosen} />
      ) : !chosen.isActive ? (
        <Frame onBack={only ? undefined : () => setChosen(null)}>
          <EmptyState icon={IconPlugConnectedX} title={t.nothingTitle} text={t.nothing} />
        </Frame>
      ) : (
        <Frame onBack={only ? undefined : () => setChosen(null)}>
          {chosen.authType === "OAUTH2" ? (
            <ByProvider client={client} integration={chosen} who={who} onDone={setConnection} />
          ) : (
            <ByCredentials client={client} integration={chosen} who={who} onDone={setConnection} />
          )}
        </Frame>
      )}
    </>
  );
}

/**
 * Who requests access, and to what. The link's creator wrote the names, so the workspace's ID is shown too: nobody
 * can choose that.
 */
function Who({ session, who, chosen }: { session: Session; who: string; chosen: ConnectableIntegration | null }) {
  const { workspaceId, requestedBy, expiresAt } = session;
  return (
    <header className={classes.who}>
      <div className={classes.marks}>
        <Monogram name={who} size="lg" />
        {chosen && (
          <>
            <IconArrowsLeftRight size={18} aria-hidden />
            <Monogram name={labelOf(chosen)} size="lg" />
          </>
        )}
      </div>
      <h1 className={classes.title}>{chosen ? t.heading(who, labelOf(chosen)) : t.headingChoice(who)}</h1>
      <dl className={classes.facts}>
        {requestedBy && <Fact name={t.requestedBy}>{requestedBy}</Fact>}
        <Fact name={t.workspace}>
          <code>{workspaceId}</code>
        </Fact>
        <Fact name={t.until}>{exactTime(expiresAt)}</Fact>
      </dl>
    </header>
  );
}

/** One fact per row, so that a name cannot look like the next fact. */
function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <bdi>{children}</bdi>
      </dd>
    </div>
  );
}

function Frame({ onBack, children }: { onBack: (() => void) | undefined; children: ReactNode }) {
  return (
    <>
      <div className={classes.card}>{children}</div>
      {onBack && (
        <Button variant="subtle" color="gray" size="xs" mt="sm" onClick={onBack}>
          {t.otherAccount}
        </Button>
      )}
    </>
  );
}

/** The API accepts only allowed origins; this check is a second defense against `javascript:` URLs. */
function GoBack({ url }: { url: string | null }) {
  if (url === null || !isHttp(url)) return null;
  return (
    <Button component="a" href={url} rel="noreferrer">
      {t.goBack}
    </Button>
  );
}
