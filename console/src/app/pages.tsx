import { EmptyState } from "@components/EmptyState";
import { ErrorPanel } from "@components/ErrorPanel";
import { common as t } from "@strings/common";
import { IconMapQuestion } from "@tabler/icons-react";
import type { ErrorComponentProps } from "@tanstack/react-router";

export function NotFound() {
  return <EmptyState heading="h1" icon={IconMapQuestion} title={t.errors.notFoundTitle} text={t.errors.notFound} />;
}

/** The error boundary of each page: the navigation stays. */
export function PageFailed({ error, reset }: ErrorComponentProps) {
  return <ErrorPanel error={error} onRetry={reset} />;
}
