import { styleNonce } from "@api/page";
import { type MantineColorSchemeManager, MantineProvider } from "@mantine/core";
import type { Theme } from "@sdk/generated/models";
import { setNonce } from "get-nonce";
import { type ReactNode, useMemo } from "react";
import { themeOf, variables } from "./theme";

if (styleNonce) setNonce(styleNonce); // for react-remove-scroll, which Mantine's dialogs use

/** The theme provider, with the session's theme. */
export function Provider({ theme, children }: { theme: Partial<Theme>; children: ReactNode }) {
  const scheme = theme.colorScheme ?? "auto";
  const manager = useMemo(() => inMemory(), []);
  const mantine = useMemo(() => themeOf(theme.primaryColor), [theme.primaryColor]);
  return (
    <MantineProvider
      key={scheme}
      theme={mantine}
      cssVariablesResolver={variables}
      defaultColorScheme={scheme}
      colorSchemeManager={manager}
      getStyleNonce={() => styleNonce}
    >
      {children}
    </MantineProvider>
  );
}

/** Keeps the color scheme in memory for this visit. Mantine's own manager stores it in the browser. */
function inMemory(): MantineColorSchemeManager {
  let chosen: ReturnType<MantineColorSchemeManager["get"]> | null = null;
  return {
    get: (defaultValue) => chosen ?? defaultValue,
    set: (value) => {
      chosen = value;
    },
    subscribe: () => {},
    unsubscribe: () => {},
    clear: () => {
      chosen = null;
    },
  };
}
