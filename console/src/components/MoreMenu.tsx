import { ActionIcon, Menu } from "@mantine/core";
import { common as t } from "@strings/common";
import { IconDots } from "@tabler/icons-react";
import type { ReactNode } from "react";

/** A menu for the less common actions of a page. Each action is a <Menu.Item>. */
export function MoreMenu({ children }: { children: ReactNode }) {
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="default" size={36} aria-label={t.actions.more}>
          <IconDots size={18} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>{children}</Menu.Dropdown>
    </Menu>
  );
}
