import { EmptyState } from "@components/EmptyState";
import { ErrorPanel } from "@components/ErrorPanel";
import { Button } from "@mantine/core";
import { common as t } from "@strings/common";
import { IconMapQuestion, IconRefresh } from "@tabler/icons-react";
import type { ErrorComponentProps } from "@tanstack/react-router";
import { isMissingPart } from "./updates";

export function NotFound() {
  return <EmptyState heading="h1" icon={IconMapQuestion} title={t.errors.notFoundTitle} text={t.errors.notFound} />;
}

/** The error boundary of each page: the navigation stays. */
export function PageFailed({ error, reset }: ErrorComponentProps) {
  if (isMissingPart(error)) {
    return (
      <EmptyState heading="h1" icon={IconRefresh} title={t.errors.outdatedTitle} text={t.errors.outdated}>
        <Button onClick={() => location.reload()}>{t.actions.reload}</Button>
      </EmptyState>
    );
  }
  return <ErrorPanel error={error} onRetry={reset} />;
}
