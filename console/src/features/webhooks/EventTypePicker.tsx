import { CodeBlock } from "@components/CodeBlock";
import { Button, Checkbox, TextInput } from "@mantine/core";
import "@mantine/core/styles/Checkbox.css";
import type { EventTypeInfo } from "@sdk/generated/models";
import { webhookForm as t } from "@strings/webhook-form";
import { IconSearch } from "@tabler/icons-react";
import { useState } from "react";
import classes from "./form.module.css";

interface Props {
  catalogue: readonly EventTypeInfo[];
  types: readonly string[];
  isEverything: boolean;
  error?: string;
  isReadOnly: boolean;
  onChange: (types: readonly string[], isEverything: boolean) => void;
}

type Group = keyof typeof t.groups;
type Choice = Pick<EventTypeInfo, "type"> & Partial<EventTypeInfo>;

/** Selects event types from the catalogue, with their descriptions. */
export function EventTypePicker({ catalogue, types, isEverything, error, isReadOnly, onChange }: Props) {
  const [search, setSearch] = useState("");
  const [opened, setOpened] = useState<string | null>(null);
  const groups = grouped(catalogue, types, search);

  function toggle(type: string): void {
    onChange(types.includes(type) ? types.filter((other) => other !== type) : [...types, type], false);
  }

  return (
    <fieldset className={classes.plain} aria-label={t.eventTypes}>
      <Checkbox
        label={t.everything}
        checked={isEverything}
        disabled={isReadOnly}
        onChange={(event) => onChange(types, event.currentTarget.checked)}
      />
      {!isEverything && (
        <>
          <div className={classes.pickerHead}>
            <TextInput
              type="search"
              size="xs"
              className={classes.grow}
              aria-label={t.searchTypes}
              placeholder={t.searchTypes}
              leftSection={<IconSearch size={14} aria-hidden />}
              value={search}
              onChange={(event) => setSearch(event.currentTarget.value)}
              // Enter would submit the form.
              onKeyDown={(event) => event.key === "Enter" && event.preventDefault()}
            />
            <span className={classes.note} role="status">
              {t.chosen(types.length)}
            </span>
          </div>
          <div className={classes.picker}>
            {groups.length === 0 && <p className={classes.note}>{t.noTypes}</p>}
            {groups.map(([group, choices]) => (
              <section key={group}>
                <h3 className={classes.groupTitle}>{t.groups[group]}</h3>
                {choices.map((choice) => (
                  <TypeRow
                    key={choice.type}
                    choice={choice}
                    isChosen={types.includes(choice.type)}
                    isOpen={opened === choice.type}
                    isReadOnly={isReadOnly}
                    onToggle={() => toggle(choice.type)}
                    onOpen={() => setOpened(opened === choice.type ? null : choice.type)}
                  />
                ))}
              </section>
            ))}
          </div>
        </>
      )}
      {error && (
        <p className={classes.error} role="alert">
          {error}
        </p>
      )}
    </fieldset>
  );
}

interface RowProps {
  choice: Choice;
  isChosen: boolean;
  isOpen: boolean;
  isReadOnly: boolean;
  onToggle: () => void;
  onOpen: () => void;
}

function TypeRow({ choice, isChosen, isOpen, isReadOnly, onToggle, onOpen }: RowProps) {
  return (
    <div className={classes.type}>
      <div className={classes.typeHead}>
        <Checkbox
          className={classes.grow}
          size="xs"
          label={choice.type}
          description={choice.description}
          checked={isChosen}
          disabled={isReadOnly}
          onChange={onToggle}
        />
        {choice.sample && (
          <Button
            variant="subtle"
            size="compact-xs"
            aria-expanded={isOpen}
            aria-label={t.about(choice.type)}
            onClick={onOpen}
          >
            {t.details}
          </Button>
        )}
      </div>
      {isOpen && (
        <div className={classes.typeBody}>
          <div>
            <p className={classes.label}>{t.sample}</p>
            <CodeBlock label={t.sample} value={choice.sample} />
          </div>
          <div>
            <p className={classes.label}>{t.schema}</p>
            <CodeBlock label={t.schema} value={choice.schema} />
          </div>
        </div>
      )}
    </div>
  );
}

/** The types that match the search, grouped by publisher. Selected types that left the catalogue come last. */
function grouped(catalogue: readonly EventTypeInfo[], types: readonly string[], search: string): [Group, Choice[]][] {
  const wanted = search.trim().toLowerCase();
  const matches = ({ type, description = "" }: Choice) => `${type} ${description}`.toLowerCase().includes(wanted);
  const known = new Set(catalogue.map(({ type }) => type));
  const groups: [Group, Choice[]][] = (["publishable", "operational", "platform"] as const).map((kind) => [
    kind,
    catalogue.filter((type) => type.kind === kind && matches(type)),
  ]);
  const unknown = catalogue.length > 0 ? types.filter((type) => !known.has(type)).map((type) => ({ type })) : [];
  return [...groups, ["unknown", unknown.filter(matches)] as [Group, Choice[]]].filter(
    ([, choices]) => choices.length > 0,
  );
}
