import { Skeleton, Stack, VisuallyHidden } from "@mantine/core";
import { common as t } from "@strings/common";

const WIDTHS = ["72%", "58%", "81%", "64%", "76%", "52%", "69%", "60%"];

/** Placeholder rows for a list that is loading. */
export function RowSkeletons({ rows = 6, height = 48 }: { rows?: number; height?: number }) {
  return (
    <div role="status">
      <VisuallyHidden>{t.list.loading}</VisuallyHidden>
      {WIDTHS.slice(0, rows).map((width) => (
        <div key={width} style={{ height, display: "flex", alignItems: "center", padding: "0 16px" }}>
          <Skeleton height={12} width={width} radius="sm" />
        </div>
      ))}
    </div>
  );
}

/** A placeholder for a page that is loading: its header and its first panel. */
export function PageSkeleton() {
  return (
    <Stack gap="lg" role="status">
      <VisuallyHidden>{t.list.loading}</VisuallyHidden>
      <Skeleton height={24} width={220} radius="sm" />
      <Skeleton height={14} width="46%" radius="sm" />
      <Skeleton height={220} radius="md" />
    </Stack>
  );
}
