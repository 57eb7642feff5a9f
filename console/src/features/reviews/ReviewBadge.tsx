import { StatusBadge } from "@components/StatusBadge";
import { reviewStatus } from "@components/statuses";
import type { Publication } from "@sdk/generated/models";
import { reviews as t } from "@strings/reviews";

/** The status of a review. If there is none, the publisher no longer offers the integration. */
export function ReviewBadge({ status }: { status: Publication["reviewStatus"] }) {
  if (status === null) return <StatusBadge tone="neutral">{t.detail.unpublished}</StatusBadge>;
  return <StatusBadge {...reviewStatus(status)} />;
}
