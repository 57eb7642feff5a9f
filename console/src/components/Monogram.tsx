import classes from "./Monogram.module.css";

/** A tile with the initials of a provider or an integration. No logos: those are trademarks and remote images. */
export function Monogram({ name, size = "md" }: { name: string; size?: "sm" | "md" | "lg" }) {
  return (
    <span className={`${classes.monogram} ${classes[size]}`} aria-hidden>
      {initials(name)}
    </span>
  );
}

/** "HubSpot": "Hs", "Rye Lab": "RL", "custom_basic": "CB". */
function initials(name: string): string {
  const words = name
    .replace(/(\p{Ll})(\p{Lu})/gu, "$1 $2")
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean);
  const [first = "", second] = words;
  const letters = second === undefined ? [...first].slice(0, 2) : [[...first][0], [...second][0]];
  return letters.join("");
}
