import type { List } from "@api/queries";
import { Button } from "@mantine/core";
import type { EventSummary } from "@sdk/generated/models";
import { events as t } from "@strings/events";
import { IconArrowUp } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import classes from "./events.module.css";
import { eventList, type Filters, newestEvents } from "./queries";

/** Announces events that are newer than the list. It overlays the list and adds them on a click, so that no row moves. */
export function NewEvents({ filters, list }: { filters: Filters; list: List<EventSummary> }) {
  const queries = useQueryClient();
  const newest = useQuery({ ...newestEvents(filters), enabled: !list.isPending }).data;
  const known = list.items[0]?.timestamp ?? "";
  const shown = new Set(list.items.slice(0, 40).map(({ id }) => id));
  const fresh = newest?.items.filter(({ id, timestamp }) => !shown.has(id) && timestamp >= known) ?? [];
  const isAll = fresh.length > 0 && fresh.length === newest?.items.length;

  // The list restarts with the new page. Older pages load again when the user scrolls to them.
  const show = () => {
    if (newest) queries.setQueryData(eventList(filters).queryKey, { pages: [newest], pageParams: [null] });
  };
  const isEmpty = list.items.length === 0 && !list.hasMore;
  const appears = isEmpty && fresh.length > 0;
  useEffect(() => {
    if (appears) show();
  });

  return (
    <div role="status" className={classes.fresh}>
      {fresh.length > 0 && !isEmpty && (
        <Button size="xs" radius="xl" leftSection={<IconArrowUp size={14} aria-hidden />} onClick={show}>
          {t.fresh(fresh.length, isAll && newest?.nextCursor !== null)}
        </Button>
      )}
    </div>
  );
}
