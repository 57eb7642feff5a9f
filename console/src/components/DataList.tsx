import type { List } from "@api/queries";
import { Button } from "@mantine/core";
import { common as t } from "@strings/common";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type CSSProperties, type KeyboardEvent, type ReactNode, useEffect, useLayoutEffect, useRef } from "react";
import classes from "./DataList.module.css";
import { ErrorPanel } from "./ErrorPanel";
import { RowSkeletons } from "./Skeletons";

export interface Column<T> {
  key: string;
  title: string;
  render: (item: T) => ReactNode;
  /** A CSS grid track, such as `2fr` or `120px`. Default: `1fr`. */
  width?: string;
  align?: "end";
  /** Hides the column on narrow screens: below 760 px, or below 460 px. Default: always visible. */
  hide?: "narrow" | "small";
}

interface Props<T extends { id: string }> {
  /** The name of the list, for screen readers. */
  label: string;
  list: List<T>;
  columns: readonly Column<T>[];
  /**
   * The control that opens an item: a <Link>, or a button. It is the content of the first column, and the target of
   * clicks on the row and of the arrow keys. Without it, rows open nothing.
   */
  primary?: (item: T, content: ReactNode) => ReactNode;
  /** What to show if the list is empty. */
  empty: ReactNode;
  rowHeight?: number;
}

/**
 * A list of any length: it renders only the visible rows, and loads the next page near the end. Arrow keys, Home and
 * End move between rows, Enter opens one. The rows are positioned absolutely, which a <table> does not support.
 */
export function DataList<T extends { id: string }>({ label, list, columns, primary, empty, rowHeight = 52 }: Props<T>) {
  const scroller = useRef<HTMLDivElement>(null);
  const { items, hasMore, isLoadingMore, error, searched } = list;
  const isSearch = searched !== undefined;
  const virtualizer = useVirtualizer({
    count: items.length,
    estimateSize: () => rowHeight,
    getScrollElement: () => scroller.current,
    getItemKey: (index) => items[index]?.id ?? index,
    overscan: 8,
  });
  const rows = virtualizer.getVirtualItems();
  const lastVisible = rows.at(-1)?.index ?? 0;
  const { loadMore } = list;
  // After an error or in a search, the user loads more with a click. A page can be empty and still have a next page.
  const wantsMore =
    hasMore && !isSearch && !isLoadingMore && !error && !list.isPending && lastVisible >= items.length - 12;
  // An empty page changes only `items`, so this depends on it.
  useEffect(() => {
    if (wantsMore) loadMore();
  }, [wantsMore, items]);

  const isShown = !list.isPending;
  useLayoutEffect(() => {
    const top = isShown && scroller.current ? scroller.current.getBoundingClientRect().top + window.scrollY : 0;
    if (top > 0) scroller.current?.style.setProperty("--list-top", `${Math.round(top)}px`);
  }, [isShown]);

  function focusRow(index: number): void {
    const target = Math.min(Math.max(index, 0), items.length - 1);
    virtualizer.scrollToIndex(target);
    // The row may be rendered only after scrolling.
    requestAnimationFrame(() =>
      requestAnimationFrame(() =>
        scroller.current?.querySelector<HTMLElement>(`[data-index="${target}"] :is(a, button)`)?.focus(),
      ),
    );
  }

  function onKeyDown(event: KeyboardEvent): void {
    const row = (event.target as HTMLElement).closest<HTMLElement>("[data-index]");
    if (row === null || event.altKey || event.ctrlKey || event.metaKey) return;
    const index = Number(row.dataset.index);
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 1);
    const moves: Record<string, number> = {
      ArrowDown: index + 1,
      ArrowUp: index - 1,
      PageDown: index + page,
      PageUp: index - page,
      Home: 0,
      End: items.length - 1,
    };
    const target = moves[event.key];
    if (target === undefined) return;
    event.preventDefault();
    focusRow(target);
  }

  if (list.isPending) {
    return (
      <div className={classes.list}>
        <RowSkeletons height={rowHeight} />
      </div>
    );
  }
  if (error && items.length === 0) return <ErrorPanel error={error} onRetry={list.reload} />;
  const foot = (
    <div className={classes.foot}>
      <span role="status">
        {isLoadingMore
          ? t.list.loadingMore
          : isSearch && hasMore
            ? t.list.searched(searched)
            : t.list.shown(items.length, hasMore)}
      </span>
      {hasMore && (
        <Button variant="subtle" size="compact-xs" loading={isLoadingMore} onClick={loadMore}>
          {isSearch ? t.actions.searchOlder : t.actions.loadMore}
        </Button>
      )}
    </div>
  );
  if (items.length === 0 && (isSearch || !hasMore)) {
    return (
      <div className={classes.list}>
        {empty}
        {hasMore && foot}
      </div>
    );
  }
  return (
    <div className={classes.list} style={gridOf(columns, rowHeight)}>
      <div
        ref={scroller}
        className={classes.scroller}
        role="table"
        aria-label={label}
        aria-rowcount={hasMore ? -1 : items.length + 1}
        onKeyDown={onKeyDown}
      >
        <div role="rowgroup">
          <div role="row" className={classes.head} aria-rowindex={1}>
            {columns.map((column) => (
              <div key={column.key} role="columnheader" className={cellClass(column)}>
                {column.title}
              </div>
            ))}
          </div>
        </div>
        <div role="rowgroup" className={classes.rows} style={{ height: virtualizer.getTotalSize() }}>
          {rows.map((row) => {
            const item = items[row.index];
            return (
              item && (
                <Row
                  key={row.key}
                  item={item}
                  index={row.index}
                  start={row.start}
                  columns={columns}
                  primary={primary}
                />
              )
            );
          })}
        </div>
      </div>
      {Boolean(error) && <ErrorPanel error={error} onRetry={loadMore} />}
      {foot}
    </div>
  );
}

interface RowProps<T> {
  item: T;
  index: number;
  start: number;
  columns: readonly Column<T>[];
  primary: ((item: T, content: ReactNode) => ReactNode) | undefined;
}

function Row<T>({ item, index, start, columns, primary }: RowProps<T>) {
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keyboard uses the primary control in the row
    <div
      role="row"
      aria-rowindex={index + 2}
      data-index={index}
      className={`${classes.row} ${primary ? classes.clickable : ""}`}
      style={{ transform: `translateY(${start}px)` }}
      onClick={(event) => {
        const isOwn = (event.target as HTMLElement).closest("a, button, input") === null;
        if (isOwn && !getSelection()?.toString()) {
          event.currentTarget.querySelector<HTMLElement>(":is(a, button)")?.click();
        }
      }}
    >
      {columns.map((column, at) => (
        <div key={column.key} role="cell" className={`${cellClass(column)} ${at === 0 ? classes.primary : ""}`}>
          {at === 0 && primary ? primary(item, column.render(item)) : column.render(item)}
        </div>
      ))}
    </div>
  );
}

function cellClass(column: Column<never>): string {
  const hidden = column.hide === "narrow" ? `${classes.hideNarrow} ${classes.hideSmall}` : classes.hideSmall;
  return [classes.cell, column.align && classes.end, column.hide && hidden].filter(Boolean).join(" ");
}

function gridOf(columns: readonly Column<never>[], rowHeight: number): CSSProperties {
  const tracks = (hidden: readonly (string | undefined)[]) =>
    columns
      .filter((column) => column.hide === undefined || !hidden.includes(column.hide))
      .map((column) =>
        column.width === undefined ? "minmax(0, 1fr)" : column.width.replace(/^([\d.]+fr)$/, "minmax(0, $1)"),
      )
      .join(" ");
  return {
    "--columns": tracks([]),
    "--columns-medium": tracks(["narrow"]),
    "--columns-small": tracks(["narrow", "small"]),
    "--row-height": `${rowHeight}px`,
  } as CSSProperties;
}
