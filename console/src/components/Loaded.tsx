import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { ErrorPanel } from "./ErrorPanel";
import { PageSkeleton } from "./Skeletons";

interface Props<T> {
  query: UseQueryResult<T>;
  /** Shown while the query loads. */
  skeleton?: ReactNode;
  children: (data: T) => ReactNode;
}

/** Shows the result of a query: a skeleton while it loads, and an error with a retry button if it fails. */
export function Loaded<T>({ query, skeleton = <PageSkeleton />, children }: Props<T>) {
  if (query.isPending) return skeleton;
  if (query.error) return <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />;
  return children(query.data as T);
}
