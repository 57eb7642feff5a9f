import { linkToken } from "./fragment"; // first: it removes the fragment
import "@app/styles";
import { Provider } from "@app/Provider";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ConnectPage } from "./ConnectPage";

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <Provider theme={{}}>
      <ConnectPage token={linkToken} />
    </Provider>
  </StrictMode>,
);
