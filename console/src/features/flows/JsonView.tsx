import { CopyButton } from "@components/CopyButton";
import { Group, Text, Textarea } from "@mantine/core";
import { flows as t } from "@strings/flows";
import { useState } from "react";
import classes from "./flows.module.css";
import { fromJson, toJson } from "./model/json";
import { useFlowView } from "./view";

/** Edits the flow as JSON. The rest of the editor follows when the text is valid. */
export function JsonView() {
  const { draft, edit } = useFlowView();
  const [text, setText] = useState(() => toJson(draft));
  const [shown, setShown] = useState(draft);
  if (shown !== draft) {
    setShown(draft);
    const parsed = fromJson(text);
    // The flow changed elsewhere, for example by undo. Otherwise, the text keeps the user's line breaks.
    if (!("draft" in parsed) || toJson(parsed.draft) !== toJson(draft)) setText(toJson(draft));
  }
  const result = fromJson(text);
  return (
    <div className={classes.json}>
      <Group justify="space-between" mb={6} wrap="nowrap">
        <Text size="xs" c="dimmed">
          {t.json.help}
        </Text>
        <CopyButton value={text} what={t.json.label} />
      </Group>
      <Textarea
        aria-label={t.json.label}
        className={classes.jsonText}
        rows={26}
        resize="vertical"
        spellCheck={false}
        readOnly={edit === null}
        value={text}
        error={"error" in result ? result.error : undefined}
        onChange={(event) => {
          setText(event.currentTarget.value);
          const parsed = fromJson(event.currentTarget.value);
          if ("draft" in parsed) edit?.({ type: "replace", draft: parsed.draft, typing: "json" });
        }}
      />
    </div>
  );
}
