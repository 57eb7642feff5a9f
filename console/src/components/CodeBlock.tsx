import { common as t } from "@strings/common";
import classes from "./CodeBlock.module.css";
import { CopyButton } from "./CopyButton";

interface Props {
  /** Text, or a value that is shown as JSON. It is never rendered as markup. */
  value: unknown;
  /** A name for it, for screen readers and the copy button. */
  label?: string;
}

/** Shows text from outside the console verbatim: a payload, a header, a response. */
export function CodeBlock({ value, label = t.code.label }: Props) {
  const text = typeof value === "string" ? prettyJson(value) : JSON.stringify(value, null, 2);
  return (
    <div className={classes.block}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a long block scrolls, also with the keyboard */}
      <pre className={classes.code} tabIndex={0} role="region" aria-label={label}>
        {text}
      </pre>
      <div className={classes.copy}>
        <CopyButton value={text} what={label} />
      </div>
    </div>
  );
}

/** Pretty-prints JSON; other text stays unchanged. */
function prettyJson(text: string): string {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
