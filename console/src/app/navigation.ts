import { common as t } from "@strings/common";
import {
  IconApps,
  IconBolt,
  IconBuildingStore,
  IconChecklist,
  IconGauge,
  IconGitBranch,
  IconHistory,
  IconKey,
  IconListCheck,
  IconPlugConnected,
  IconRobot,
  IconSettings,
  IconWebhook,
  type TablerIcon,
} from "@tabler/icons-react";

export interface NavigationItem {
  /** The path of the page below /console. */
  to: string;
  label: string;
  icon: TablerIcon;
  /** The scope that the page requires to read; without it, the item is hidden. Null if everyone may open the page. */
  scope: string | null;
}

export function isAllowed({ scope }: NavigationItem, scopes: ReadonlySet<string>): boolean {
  return scope === null || scopes.has(scope);
}

/** The navigation, in groups. The console opens on the first item that the session allows. */
export const NAVIGATION: readonly { label: string; items: readonly NavigationItem[] }[] = [
  {
    label: t.navigation.groups.activity,
    items: [
      { to: "/overview", label: t.navigation.overview, icon: IconGauge, scope: "analytics:read" },
      { to: "/events", label: t.navigation.events, icon: IconBolt, scope: "events:read" },
      { to: "/webhooks", label: t.navigation.webhooks, icon: IconWebhook, scope: "webhooks:read" },
      { to: "/tasks", label: t.navigation.tasks, icon: IconListCheck, scope: "webhooks:read" },
    ],
  },
  {
    label: t.navigation.groups.setup,
    items: [
      { to: "/marketplace", label: t.navigation.marketplace, icon: IconBuildingStore, scope: "integrations:read" },
      { to: "/integrations", label: t.navigation.integrations, icon: IconApps, scope: "integrations:read" },
      { to: "/connections", label: t.navigation.connections, icon: IconPlugConnected, scope: "connections:read" },
      { to: "/flows", label: t.navigation.flows, icon: IconGitBranch, scope: "flows:read" },
      { to: "/automations", label: t.navigation.automations, icon: IconRobot, scope: "automations:use" },
    ],
  },
  {
    label: t.navigation.groups.access,
    items: [
      { to: "/api-keys", label: t.navigation.apiKeys, icon: IconKey, scope: "api-keys:read" },
      { to: "/audit", label: t.navigation.audit, icon: IconHistory, scope: "audit:read" },
      { to: "/reviews", label: t.navigation.reviews, icon: IconChecklist, scope: "publications:review" },
      { to: "/settings", label: t.navigation.settings, icon: IconSettings, scope: null },
    ],
  },
];
