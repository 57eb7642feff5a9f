import { listOptions, useChange } from "@api/queries";
import { api } from "@api/session";
import type { DecidePublication, Publication, PublicationDetail, ReviewStatus } from "@sdk/generated/models";
import { reviews as t } from "@strings/reviews";
import { queryOptions, useQueryClient } from "@tanstack/react-query";
import { nameOf } from "./publication";

export const publicationList = (status: ReviewStatus | undefined) =>
  listOptions<Publication>(["publications", "list", { status }], (page, options) =>
    api().publications.list({ ...page, limit: 50, ...(status && { reviewStatus: status }) }, options),
  );

export const publicationDetail = (workspaceId: string, id: string) =>
  queryOptions({
    queryKey: ["publications", workspaceId, id],
    queryFn: ({ signal }) => api().publications.get(workspaceId, id, { signal }),
  });

/** Decides on a publication. It is refetched even if that fails, because someone else may have changed it. */
export function useDecide({ workspaceId, id }: Publication, onDone: (decided: PublicationDetail) => void) {
  const queries = useQueryClient();
  return useChange({
    run: async (body: DecidePublication) => {
      try {
        const decided = await api().publications.decide(workspaceId, id, body);
        // Update the cache immediately, so that the form disappears before it can be sent again.
        queries.setQueryData(publicationDetail(workspaceId, id).queryKey, decided);
        return decided;
      } catch (error) {
        void queries.invalidateQueries({ queryKey: ["publications"] });
        throw error;
      }
    },
    done: (decided, { decision }) => ({ message: DONE[decision](nameOf(decided)) }),
    changes: [["publications"], ["marketplace"], ["integrations"]],
    showsErrors: true,
    onDone,
  });
}

const DONE: Record<DecidePublication["decision"], (name: string) => string> = {
  APPROVE: t.decide.approved,
  REJECT: t.decide.rejected,
  WITHDRAW: t.withdraw.done,
};
