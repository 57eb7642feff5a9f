import { useSession } from "@api/session";
import { Navigate } from "@tanstack/react-router";
import { isAllowed, NAVIGATION } from "./navigation";
import { NotFound } from "./pages";

/** The first page: the session's own, or the first that it allows. */
export function Home() {
  const { view, scopes } = useSession();
  const first = NAVIGATION.flatMap(({ items }) => items).find((item) => isAllowed(item, scopes));
  const target = view !== null && /^\/[^/]/.test(view) ? view : first?.to;
  return target ? <Navigate to={target} replace /> : <NotFound />;
}
