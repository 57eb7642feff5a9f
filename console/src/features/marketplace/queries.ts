import { listOptions, useChange } from "@api/queries";
import { api } from "@api/session";
import type { Integration, IntegrationType } from "@sdk/generated/models";
import { marketplace as t } from "@strings/marketplace";
import { keepPreviousData, queryOptions } from "@tanstack/react-query";

export const marketplaceList = (search: string, type: string) => ({
  ...listOptions<Integration>(["marketplace", "list", { search, type }], (page, options) =>
    api().integrations.marketplace(
      { ...page, limit: 100, ...(search && { search }), ...(type && { type: type as IntegrationType }) },
      options,
    ),
  ),
  placeholderData: keepPreviousData,
});

export const listingDetail = (id: string) =>
  queryOptions({
    queryKey: ["marketplace", id],
    queryFn: ({ signal }) => api().integrations.getListing(id, { signal }),
  });

export function useInstall(onDone: (installed: Integration) => void) {
  return useChange({
    run: (id: string) => api().integrations.install(id),
    done: (installed) => ({ message: t.listing.installed(installed.name) }),
    changes: [["integrations"]],
    showsErrors: true,
    onDone,
  });
}
