import { Button, NativeSelect, Textarea } from "@mantine/core";
import type { EventTypeInfo } from "@sdk/generated/models";
import { filters as t } from "@strings/filters";
import { useState } from "react";
import { isObject } from "./evaluate";
import classes from "./filters.module.css";

/** An event for trying out filters or a flow. */
export interface Sample {
  type: string;
  data: Record<string, unknown>;
}

interface Props {
  value: Sample;
  /** The types to choose from. */
  eventTypes: readonly Pick<EventTypeInfo, "type" | "sample">[];
  onChange: (value: Sample) => void;
}

/** Edits the sample: the catalogue's for an event type, or a custom one. The text can be invalid, the value cannot. */
export function SampleEditor({ value, eventTypes, onChange }: Props) {
  const [draft, setDraft] = useState(() => pretty(value.data));
  const [of, setOf] = useState(value);
  // A new sample from outside replaces the text.
  if (of !== value) {
    setOf(value);
    const parsed = parsedSample(draft);
    if (!("data" in parsed) || JSON.stringify(parsed.data) !== JSON.stringify(value.data)) setDraft(pretty(value.data));
  }
  const result = parsedSample(draft);
  const known = eventTypes.find(({ type }) => type === value.type);

  function edit(text: string): void {
    setDraft(text);
    const parsed = parsedSample(text);
    if ("data" in parsed) onChange({ type: value.type, data: parsed.data });
  }

  function choose(type: string): void {
    const sample = eventTypes.find((other) => other.type === type)?.sample;
    if (sample) onChange({ type, data: sample });
  }

  return (
    <div>
      <div className={classes.editorHead}>
        <NativeSelect
          size="xs"
          label={t.sample.type}
          value={value.type}
          data={eventTypes.map(({ type }) => type)}
          onChange={(event) => choose(event.currentTarget.value)}
        />
        {known && (
          <Button
            variant="default"
            size="xs"
            onClick={() => {
              setDraft(pretty(known.sample));
              choose(value.type);
            }}
          >
            {t.sample.reset}
          </Button>
        )}
      </div>
      <Textarea
        mt="xs"
        className={classes.editor}
        label={t.sample.label}
        description={t.sample.help}
        autosize={false}
        rows={12}
        resize="vertical"
        spellCheck={false}
        value={draft}
        error={"error" in result ? result.error : undefined}
        onChange={(event) => edit(event.currentTarget.value)}
      />
    </div>
  );
}

function parsedSample(text: string): { data: Record<string, unknown> } | { error: string } {
  try {
    const data: unknown = JSON.parse(text);
    return isObject(data) ? { data } : { error: t.sample.notObject };
  } catch (error) {
    return { error: t.sample.notJson(error instanceof Error ? error.message : "") };
  }
}

function pretty(data: unknown): string {
  return JSON.stringify(data, null, 2);
}
