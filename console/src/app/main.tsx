import { oneTimeCode } from "./fragment"; // first: it removes the fragment
import "./styles";
import { reportHeight } from "@api/parent";
import { start } from "@api/session";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { watchUpdates } from "./updates";

watchUpdates();

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
reportHeight();
void start(oneTimeCode);
