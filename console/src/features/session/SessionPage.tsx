import type { SessionState } from "@api/session";
import { EmptyState } from "@components/EmptyState";
import { ErrorPanel } from "@components/ErrorPanel";
import { PageSkeleton } from "@components/Skeletons";
import { Button } from "@mantine/core";
import { session as t } from "@strings/session";
import { IconDoorExit, IconLink, IconPlugConnected } from "@tabler/icons-react";
import classes from "./SessionPage.module.css";

/** The page when no session is open: it is starting, it has ended, there was none, or it failed to open. */
export function SessionPage({ state }: { state: Exclude<SessionState, { status: "open" }> }) {
  return (
    <main className={classes.page}>
      <Content state={state} />
    </main>
  );
}

function Content({ state }: { state: Exclude<SessionState, { status: "open" }> }) {
  switch (state.status) {
    case "starting":
      return <PageSkeleton />;
    case "waiting":
      return <EmptyState heading="h1" icon={IconPlugConnected} title={t.starting} text={t.waiting} />;
    case "failed":
      return (
        <>
          <h1 className={classes.title}>{t.failedTitle}</h1>
          <ErrorPanel error={state.error} />
        </>
      );
    case "ended":
      return state.reason === "none" ? (
        <EmptyState heading="h1" icon={IconLink} title={t.noneTitle} text={t.none} />
      ) : (
        <EmptyState heading="h1" icon={IconDoorExit} title={t.expiredTitle} text={t.expired}>
          {isHttp(state.returnUrl) && (
            <Button component="a" href={state.returnUrl} target="_top">
              {t.goBack}
            </Button>
          )}
        </EmptyState>
      );
  }
}

/** The server accepts only allowed origins; this check is a second defense against `javascript:` URLs. */
function isHttp(url: string | null): url is string {
  return url !== null && /^https?:\/\//.test(url);
}
