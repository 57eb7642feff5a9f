import { Tabs } from "@mantine/core";
import "@mantine/core/styles/Tabs.css";
import type { ReactNode } from "react";

interface Props<Tab extends string> {
  value: Tab;
  /** The panels, in the order of their tabs. Only the open one is rendered. */
  panels: Partial<Record<Tab, ReactNode>>;
  labels: Readonly<Record<Tab, string>>;
  onChange: (tab: Tab) => void;
}

/** The tabs of a page. Keep the open tab in the URL. */
export function PageTabs<Tab extends string>({ value, panels, labels, onChange }: Props<Tab>) {
  const tabs = Object.keys(panels) as Tab[];
  return (
    <Tabs value={value} keepMounted={false} onChange={(tab) => onChange(tab as Tab)}>
      <Tabs.List mb="md">
        {tabs.map((tab) => (
          <Tabs.Tab key={tab} value={tab}>
            {labels[tab]}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {tabs.map((tab) => (
        <Tabs.Panel key={tab} value={tab}>
          {panels[tab]}
        </Tabs.Panel>
      ))}
    </Tabs>
  );
}
