import { common as t } from "@strings/common";
import {
  IconApps,
  IconBolt,
  IconBuildingStore,
  IconGauge,
  IconListCheck,
  IconPlugConnected,
  IconWebhook,
  type TablerIcon,
} from "@tabler/icons-react";

export interface NavigationItem {
  /** The path of the page below /console. */
  to: string;
  label: string;
  icon: TablerIcon;
  /** The scope that the page reads with; without it, the item is not there. */
  scope: string;
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
    ],
  },
];
