import { useSession } from "@api/session";
import { Navigate } from "@tanstack/react-router";
import { isAllowed, NAVIGATION } from "./navigation";
import { NotFound } from "./pages";

/** The start page: redirects to the session's `view`, or to the first page that the session allows. */
export function Home() {
  const { view, scopes } = useSession();
  const first = NAVIGATION.flatMap(({ items }) => items).find((item) => isAllowed(item, scopes));
  const target = view !== null && /^\/[^/]/.test(view) ? view : first?.to;
  return target ? <Navigate to={target} replace /> : <NotFound />;
}
