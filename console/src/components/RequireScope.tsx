import { useCan } from "@api/session";
import { common as t } from "@strings/common";
import { IconLock } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { EmptyState } from "./EmptyState";

interface Props {
  /** One scope, or several scopes that are all required. */
  scope: string | readonly string[];
  children: ReactNode;
  /** Shows a message if the scopes are missing. Without it, for example for a button, nothing is shown. */
  page?: boolean;
}

/** Shows its content only to sessions that have the scopes. */
export function RequireScope({ scope, children, page = false }: Props) {
  const isAllowed = useCan(...(typeof scope === "string" ? [scope] : scope));
  if (isAllowed) return children;
  return page ? (
    <EmptyState heading="h1" icon={IconLock} title={t.errors.forbiddenTitle} text={t.errors.forbidden} />
  ) : null;
}
