import { useMantineColorScheme, VisuallyHidden } from "@mantine/core";
import { common as t } from "@strings/common";
import { IconDeviceDesktop, IconMoon, IconSun } from "@tabler/icons-react";
import { useId } from "react";
import classes from "./ColorScheme.module.css";

const SCHEMES = [
  ["light", t.colorScheme.light, IconSun],
  ["dark", t.colorScheme.dark, IconMoon],
  ["auto", t.colorScheme.auto, IconDeviceDesktop],
] as const;

/** Switches between light and dark for this visit; the browser stores nothing. */
export function ColorScheme() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const name = useId();
  return (
    <fieldset className={classes.group}>
      <VisuallyHidden component="legend">{t.colorScheme.label}</VisuallyHidden>
      {SCHEMES.map(([scheme, label, Icon]) => (
        <label key={scheme} className={classes.option} title={label}>
          <input
            type="radio"
            name={name}
            className={classes.input}
            aria-label={label}
            checked={scheme === colorScheme}
            onChange={() => setColorScheme(scheme)}
          />
          <Icon size={16} stroke={1.7} aria-hidden />
        </label>
      ))}
    </fieldset>
  );
}
