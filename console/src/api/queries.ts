import type { LoadedPage } from "@sdk/page";
import {
  infiniteQueryOptions,
  type QueryKey,
  type UseMutationResult,
  useInfiniteQuery,
  useMutation,
  useQueryClient,
} from "@tanstack/react-query";
import { useMemo } from "react";
import { type Notice, notify } from "./notifications";

// A key is a list: the feature, then `list` or an ID, then filters. So `["webhooks"]` invalidates the whole
// feature, and `["webhooks", id]` everything about one webhook.

/** Options of a list that loads page by page. `load` gets the cursor of a page; the first page has none. */
export function listOptions<T>(
  queryKey: QueryKey,
  load: (page: { cursor?: string }, options: { signal: AbortSignal }) => PromiseLike<LoadedPage<T>>,
) {
  return infiniteQueryOptions({
    queryKey,
    queryFn: async ({ pageParam, signal }) => await load(pageParam === null ? {} : { cursor: pageParam }, { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (last: LoadedPage<T>) => last.nextCursor,
  });
}

/** A list: its items so far, and what <DataList> needs to load more. */
export interface List<T> {
  items: T[];
  isPending: boolean;
  error: unknown;
  hasMore: boolean;
  isLoadingMore: boolean;
  loadMore: () => void;
  reload: () => void;
  /** The number of items that were searched; undefined without a search. */
  searched?: number;
}

export function useList<T>(options: ReturnType<typeof listOptions<T>>): List<T> {
  const query = useInfiniteQuery(options);
  const items = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  return {
    items,
    isPending: query.isPending,
    error: query.error,
    hasMore: query.hasNextPage,
    isLoadingMore: query.isFetchingNextPage,
    // Only the user retries a failed page. Otherwise, the list would request it in an endless loop.
    loadMore: () => void (query.isFetching || query.fetchNextPage()),
    reload: () => void query.refetch(),
  };
}

/**
 * The items with this status whose text contains `q`. The API cannot search these lists, so this searches the loaded
 * items. The user continues the search with a button, because it could load thousands of items and find nothing.
 */
export function matching<T extends { status: string }>(
  list: List<T>,
  { q, status = "" }: { q: string; status?: string },
  textsOf: (item: T) => readonly (string | null)[],
): List<T> {
  const wanted = q.trim().toLowerCase();
  if (wanted === "" && status === "") return list;
  const items = list.items.filter(
    (item) => (status === "" || item.status === status) && textsOf(item).join("\n").toLowerCase().includes(wanted),
  );
  return { ...list, items, searched: list.items.length };
}

interface Change<Input, Output> {
  run: (input: Input) => Promise<Output>;
  /** The notification to show on success; none if it is absent. */
  done?: string | ((output: Output, input: Input) => Notice);
  /** The keys of the queries to invalidate. */
  changes: readonly QueryKey[] | ((output: Output, input: Input) => readonly QueryKey[]);
  onDone?: (output: Output, input: Input) => void;
  /** Turns off the notification for errors, because the form shows them. */
  showsErrors?: boolean;
}

/** A mutation that notifies the user and refetches what it changed. Notifications of errors include the request ID. */
export function useChange<Input = void, Output = unknown>(
  change: Change<Input, Output>,
): UseMutationResult<Output, unknown, Input> {
  const queries = useQueryClient();
  return useMutation<Output, unknown, Input>({
    mutationFn: change.run,
    onSuccess: (output, input) => {
      const keys = typeof change.changes === "function" ? change.changes(output, input) : change.changes;
      for (const queryKey of keys) void queries.invalidateQueries({ queryKey });
      if (change.done !== undefined) {
        notify(typeof change.done === "function" ? change.done(output, input) : { message: change.done });
      }
      change.onDone?.(output, input);
    },
    onError: (error) => {
      if (!change.showsErrors) notify({ error });
    },
  });
}
