import { common as t } from "@strings/common";
import { IconGitBranch, IconWebhook, type TablerIcon } from "@tabler/icons-react";

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
      { to: "/webhooks", label: t.navigation.webhooks, icon: IconWebhook, scope: "webhooks:read" },
      { to: "/flows", label: t.navigation.flows, icon: IconGitBranch, scope: "flows:read" },
    ],
  },
];
