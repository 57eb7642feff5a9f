import { queryClient, rightsOf, useSessionState } from "@api/session";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { SessionPage } from "../features/session/SessionPage";
import { Provider } from "./Provider";
import { router } from "./router";

export function App() {
  const state = useSessionState();
  if (state.status !== "open") {
    return (
      <Provider theme={{}}>
        <SessionPage state={state} />
      </Provider>
    );
  }
  return (
    <Provider theme={state.session.theme}>
      <QueryClientProvider client={queryClient}>
        <RouterProvider key={rightsOf(state.session)} router={router} />
      </QueryClientProvider>
    </Provider>
  );
}
