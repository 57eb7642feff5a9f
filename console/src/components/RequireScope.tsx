import { useCan } from "@api/session";
import { common as t } from "@strings/common";
import { IconLock } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { EmptyState } from "./EmptyState";

interface Props {
  /** One scope, or several that are all needed. */
  scope: string | readonly string[];
  children: ReactNode;
  /** A page says why it is empty; a button is just not there. */
  page?: boolean;
}

/** Shows its content to sessions with the scopes. */
export function RequireScope({ scope, children, page = false }: Props) {
  const isAllowed = useCan(...(typeof scope === "string" ? [scope] : scope));
  if (isAllowed) return children;
  return page ? (
    <EmptyState heading="h1" icon={IconLock} title={t.errors.forbiddenTitle} text={t.errors.forbidden} />
  ) : null;
}
