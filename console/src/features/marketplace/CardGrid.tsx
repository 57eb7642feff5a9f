import type { List } from "@api/queries";
import { ErrorPanel } from "@components/ErrorPanel";
import { Button, Skeleton, VisuallyHidden } from "@mantine/core";
import { useElementSize, useMergedRef } from "@mantine/hooks";
import { common as t } from "@strings/common";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useRef } from "react";
import classes from "./marketplace.module.css";

interface Props<T> {
  label: string;
  list: List<T>;
  render: (item: T) => ReactNode;
  empty: ReactNode;
  /** Describes how many cards there are. */
  summary: (shown: number, hasMore: boolean) => string;
}

const CARD = { width: 280, height: 160, gap: 16 };

/** Cards of a list of any length. Only the visible rows of cards are rendered. */
export function CardGrid<T extends { id: string }>({ label, list, render, empty, summary }: Props<T>) {
  const { items, hasMore, isLoadingMore, error, loadMore } = list;
  const scroller = useRef<HTMLDivElement>(null);
  const { ref, width } = useElementSize<HTMLDivElement>();
  const merged = useMergedRef(ref, scroller);
  const columns = Math.max(1, Math.floor((width + CARD.gap) / (CARD.width + CARD.gap)));
  const virtualizer = useVirtualizer({
    count: Math.ceil(items.length / columns),
    estimateSize: () => CARD.height + CARD.gap,
    getScrollElement: () => scroller.current,
    overscan: 2,
  });
  const rows = virtualizer.getVirtualItems();
  const lastVisible = ((rows.at(-1)?.index ?? 0) + 1) * columns;
  const wantsMore = hasMore && !isLoadingMore && !error && !list.isPending && lastVisible >= items.length;
  useEffect(() => {
    if (wantsMore) loadMore();
  }, [wantsMore, items]);

  if (list.isPending) return <Skeletons />;
  if (error && items.length === 0) return <ErrorPanel error={error} onRetry={list.reload} />;
  if (items.length === 0 && !hasMore) return empty;
  return (
    <>
      <div ref={merged} className={classes.scroller}>
        <ul aria-label={label} className={classes.rows} style={{ height: virtualizer.getTotalSize() }}>
          {rows.flatMap((row) =>
            items.slice(row.index * columns, (row.index + 1) * columns).map((item, column) => (
              <li
                key={item.id}
                className={classes.cell}
                style={{
                  width: `calc((100% - ${(columns - 1) * CARD.gap}px) / ${columns})`,
                  height: CARD.height,
                  left: `calc((100% + ${CARD.gap}px) / ${columns} * ${column})`,
                  transform: `translateY(${row.start}px)`,
                }}
              >
                {render(item)}
              </li>
            )),
          )}
        </ul>
      </div>
      {Boolean(error) && <ErrorPanel error={error} onRetry={loadMore} />}
      <div className={classes.foot}>
        <span role="status">{isLoadingMore ? t.list.loadingMore : summary(items.length, hasMore)}</span>
        {hasMore && (
          <Button variant="subtle" size="compact-xs" loading={isLoadingMore} onClick={loadMore}>
            {t.actions.loadMore}
          </Button>
        )}
      </div>
    </>
  );
}

function Skeletons() {
  return (
    <div role="status" aria-busy className={classes.skeletons}>
      <VisuallyHidden>{t.list.loading}</VisuallyHidden>
      {["a", "b", "c", "d", "e", "f", "g", "h"].map((key) => (
        <Skeleton key={key} height={CARD.height} radius="md" />
      ))}
    </div>
  );
}
