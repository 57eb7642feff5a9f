import type { Integration } from "@sdk/generated/models";
import { queryOptions, useQuery } from "@tanstack/react-query";
import { api } from "./session";

/** The providers that Patchbay knows, and the kinds for custom providers. */
export const providerList = queryOptions({
  queryKey: ["providers"],
  queryFn: async ({ signal }) => (await api().integrations.listProviders({}, { signal })).items,
  staleTime: Number.POSITIVE_INFINITY,
});

export const providerDetail = (key: string) =>
  queryOptions({
    queryKey: ["providers", key],
    queryFn: ({ signal }) => api().integrations.getProvider(key, { signal }),
    staleTime: Number.POSITIVE_INFINITY,
  });

const CUSTOM = /^custom(_|$)/;

/** What an integration's provider requires. `provider` is undefined until it has loaded. */
export function useProvider(integration: Integration) {
  const certain = certainKey(integration);
  const list = useQuery({ ...providerList, enabled: certain === null });
  const key = certain ?? (list.data && keyAmong(integration, list.data));
  const detail = useQuery({ ...providerDetail(key ?? ""), enabled: key !== undefined });
  return {
    provider: detail.data,
    error: list.error ?? detail.error,
    retry: () => void (list.error ? list.refetch() : detail.refetch()),
  };
}

/** The provider's key, if the integration alone determines it; otherwise, null: look it up in the list of providers. */
function certainKey({ provider, config, status, statusReason }: Integration): string | null {
  if (config.authorizationUrl !== undefined) return "custom";
  if (provider === null) return status === "PENDING_SETUP" ? "custom" : "custom_api_key";
  if (CUSTOM.test(provider)) return provider;
  // A provider that Patchbay does not know needs no client, unless it has custom URLs.
  return status === "PENDING_SETUP" && !statusReason?.includes("Url") ? provider : null;
}

function keyAmong({ provider }: Integration, known: readonly { key: string }[]): string {
  return known.some(({ key }) => key === provider) ? (provider as string) : "custom_api_key";
}
