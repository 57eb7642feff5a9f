import {
  type CSSVariablesResolver,
  createTheme,
  type MantineColorsTuple,
  type MantineThemeOverride,
} from "@mantine/core";
import { common as t } from "@strings/common";

const ACCENT = "#4f56d3";
/** The color of destructive buttons: `color="danger"`. */
const DANGER = "#c0262d";

/** The defaults of dialogs and drawers. */
const OVERLAY = {
  overlayProps: { backgroundOpacity: 0.35 },
  closeButtonProps: { "aria-label": t.actions.close },
};

/** Mantine uses it for inputs, menus and lines in the dark scheme. */
const DARK: MantineColorsTuple = [
  "#e6e9ee",
  "#c3cad4",
  "#9aa4b2",
  "#6d7784",
  "#363d47",
  "#262b33",
  "#1b1f25",
  "#15181c",
  "#111317",
  "#0e1013",
];

/** The look: calm, dense, one accent. All other colors are variables of `theme.css`. */
export function themeOf(primaryColor: string | null | undefined): MantineThemeOverride {
  const accent = /^#[0-9a-f]{6}$/i.test(primaryColor ?? "") ? (primaryColor as string) : ACCENT;
  return createTheme({
    colors: { accent: shades(accent), danger: shades(DANGER), dark: DARK },
    primaryColor: "accent",
    primaryShade: 6,
    autoContrast: true,
    // Text on the accent is white or black, whichever has more contrast: at this luminance, both have at least 4.5.
    luminanceThreshold: 0.179,
    fontFamily: "var(--pb-font)",
    fontFamilyMonospace: "var(--pb-mono)",
    headings: { fontFamily: "var(--pb-font)", fontWeight: "600" },
    defaultRadius: "md",
    radius: { xs: "3px", sm: "4px", md: "6px", lg: "8px", xl: "12px" },
    spacing: { xs: "8px", sm: "12px", md: "16px", lg: "24px", xl: "32px" },
    fontSizes: { xs: "12px", sm: "13px", md: "14px", lg: "16px", xl: "20px" },
    lineHeights: { xs: "1.4", sm: "1.45", md: "1.5", lg: "1.5", xl: "1.4" },
    cursorType: "pointer",
    respectReducedMotion: true,
    components: {
      Button: { defaultProps: { size: "sm" } },
      ActionIcon: { defaultProps: { variant: "subtle", color: "gray" } },
      Tooltip: { defaultProps: { withArrow: true, openDelay: 250, events: { hover: true, focus: true, touch: true } } },
      Modal: { defaultProps: { centered: true, radius: "lg", ...OVERLAY } },
      Drawer: { defaultProps: { position: "right", size: 520, ...OVERLAY } },
    },
  });
}

/** Mantine's own variables, mapped to the console's palette. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-body": "var(--pb-surface)",
    "--mantine-color-text": "var(--pb-text)",
    "--mantine-color-dimmed": "var(--pb-muted)",
    "--mantine-color-default-border": "var(--pb-border-strong)",
    "--mantine-color-placeholder": "#69717d",
    "--mantine-color-error": "#c0262d",
  },
  dark: {
    "--mantine-color-body": "var(--pb-surface)",
    "--mantine-color-text": "var(--pb-text)",
    "--mantine-color-dimmed": "var(--pb-muted)",
    "--mantine-color-default": "#1d2127",
    "--mantine-color-default-hover": "#262b33",
    "--mantine-color-default-border": "var(--pb-border-strong)",
    "--mantine-color-placeholder": "#8b94a1",
    "--mantine-color-error": "#ff8a8a",
  },
});

/** Ten shades of a color: 0 to 5 mixed with white, 6 unchanged, 7 to 9 mixed with black. */
function shades(hex: string): MantineColorsTuple {
  const channels = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  const mixed = (target: number, share: number) =>
    `#${channels.map((channel) => byte(channel + (target - channel) * share)).join("")}`;
  const lighter = [0.94, 0.86, 0.7, 0.52, 0.34, 0.16].map((share) => mixed(255, share));
  const darker = [0.12, 0.26, 0.42].map((share) => mixed(0, share));
  return [...lighter, hex, ...darker] as unknown as MantineColorsTuple;
}

function byte(value: number): string {
  return Math.round(value).toString(16).padStart(2, "0");
}
