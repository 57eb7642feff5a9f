import type { Integration } from "@sdk/generated/models";
import { integrations as t } from "@strings/integrations";

const PLANS: ReadonlySet<string> = new Set(["ZAPIER", "MAKE", "N8N"]);

/** Whether the integration is the plan of an automation, which has no accounts. */
export function isPlan({ type, provider }: Pick<Integration, "type" | "provider">): boolean {
  return provider === null && PLANS.has(type);
}

/** The URI that the provider redirects to: the registered one, or otherwise one at this origin. */
export function redirectUri({ id, config }: Pick<Integration, "id" | "config">): string {
  const path = `/api/integrations/${id}/oauth/callback`;
  const registered = Array.isArray(config.redirectUris) ? config.redirectUris : [];
  return registered.find((uri) => uri.endsWith(path)) ?? location.origin + path;
}

/** Whether an account can be connected now. */
export function isConnectable(integration: Integration): boolean {
  return integration.status === "ACTIVE" && !isPlan(integration);
}

/** The display name of an actor. */
export function actorOf(actor: string): string {
  return actor === "patchbay" ? t.activity.patchbay : actor;
}

/** Whether it is a copy that uses the client of another workspace's integration. A template's copy has its own. */
export function isServed({ installedFrom, publisher }: Integration, workspaceId: string): boolean {
  return installedFrom !== null && publisher !== null && publisher.workspaceId !== workspaceId;
}
