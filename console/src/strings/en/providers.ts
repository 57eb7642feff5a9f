/** Strings for what the API knows about providers. */
export const providers = {
  types: {
    CRM: "CRM",
    SOCIAL: "Social network",
    MARKETING_AUTOMATION: "Marketing automation",
    DESIGN_TOOL: "Design tool",
    ZAPIER: "Zapier",
    MAKE: "Make",
    N8N: "n8n",
    WEBHOOK: "Webhook",
    CUSTOM: "Other",
  },
  auth: { OAUTH2: "OAuth", API_KEY: "API key", BASIC: "User name and password" },
};
