// Shows the document of this deployment. Nothing is loaded from, or sent to, any other origin.
"use strict";

const settings = {
  telemetry: false,
  withDefaultFonts: false,
  showDeveloperTools: "never",
  agent: { disabled: true },
  mcp: { disabled: true },
  hideClientButton: true,
  persistAuth: false,
  defaultOpenFirstTag: false,
  documentDownloadType: "json",
  operationTitleSource: "summary",
  orderSchemaPropertiesBy: "preserve",
  orderRequiredPropertiesFirst: false,
  defaultHttpClient: { targetKey: "shell", clientKey: "curl" },
  authentication: { preferredSecurityScheme: "apiKeyHeader" },
  metaData: { title: "Patchbay API" },
};

const notice = document.getElementById("notice");

async function show() {
  const response = await fetch("openapi.json");
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  const content = await response.json();
  if (typeof Scalar === "undefined") throw new Error("docs/scalar.js did not load");
  notice.hidden = true;
  Scalar.createApiReference("#reference", { ...settings, content });
}

show().catch((error) => {
  notice.hidden = false;
  notice.setAttribute("role", "alert");
  notice.textContent = `The description of the API cannot be loaded (${error.message}). Reload the page.`;
});
