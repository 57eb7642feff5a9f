import { ErrorPanel } from "@components/ErrorPanel";
import { EventFilters } from "@components/filters/FilterBuilder";
import { type Sample, SampleEditor } from "@components/filters/SampleEditor";
import { Checkbox, MultiSelect, Stack, Text, Textarea, TextInput } from "@mantine/core";
import "@mantine/core/styles/Checkbox.css";
import "@mantine/core/styles/Combobox.css";
import "@mantine/core/styles/Pill.css";
import "@mantine/core/styles/PillsInput.css";
import type { EventTypeInfo } from "@sdk/generated/models";
import { flows as t } from "@strings/flows";
import classes from "./flows.module.css";
import type { Trigger } from "./model/definition";
import { Problems } from "./StepForm";
import { problemsAt, useFlowView } from "./view";
import { TRIGGER_ICON as Icon } from "./words";

interface Props {
  catalogue: readonly EventTypeInfo[];
  /** The event types of the catalogue that start the flow. */
  chosen: readonly EventTypeInfo[];
  error: unknown;
  sample: Sample | null;
  onSample: (sample: Sample) => void;
}

/** Edits what starts the flow, and the sample for filters, values and dry runs. */
export function TriggerForm({ catalogue, chosen, error, sample, onSample }: Props) {
  const { draft, edit, problems } = useFlowView();
  const { trigger } = draft;
  const own = problemsAt(problems, "trigger");
  const isEverything = trigger.eventTypes.includes("*");
  const set = (changed: Partial<Trigger>, typing?: string) =>
    edit?.({ type: "trigger", trigger: { ...trigger, ...changed }, typing });
  const ofFilters = own.filter(({ path }) => path.startsWith("filters."));
  const ofTypes = own.find(({ path }) => path.startsWith("eventTypes"));
  return (
    <Stack gap="sm">
      <h2 className={classes.formTitle}>
        <Icon size={18} stroke={1.7} aria-hidden />
        <span>{t.editor.trigger}</span>
      </h2>
      {Boolean(error) && <ErrorPanel error={error} />}
      <Problems problems={own.filter((problem) => problem !== ofTypes && !ofFilters.includes(problem))} />
      <MultiSelect
        size="xs"
        label={t.form.eventTypes}
        placeholder={trigger.eventTypes.length === 0 ? t.form.eventTypesPlaceholder : undefined}
        data={catalogue.filter(({ kind }) => kind !== "platform").map(({ type }) => type)}
        searchable
        hidePickedOptions
        withAsterisk={!isEverything}
        disabled={isEverything || edit === null}
        maxDropdownHeight={260}
        value={isEverything ? [] : trigger.eventTypes}
        error={ofTypes?.message}
        onChange={(eventTypes) => set({ eventTypes })}
      />
      <Checkbox
        size="xs"
        label={t.form.everything}
        checked={isEverything}
        disabled={edit === null}
        onChange={(event) => set({ eventTypes: event.currentTarget.checked ? ["*"] : [] })}
      />
      <fieldset className={classes.plain} disabled={edit === null}>
        <legend className={classes.legend}>{t.form.triggerFilters}</legend>
        <EventFilters
          value={trigger.filters ?? []}
          eventTypes={chosen}
          sample={sample?.data}
          empty={t.form.noTriggerFilters}
          errors={ofFilters.map(({ path, message }) => ({ path: path.slice("filters.".length), message }))}
          onChange={(filters) => set({ filters }, "filters")}
        />
      </fieldset>
      {sample && (
        <section aria-label={t.form.sample}>
          <h3 className={classes.heading}>{t.form.sample}</h3>
          <Text size="xs" c="dimmed" mb="xs">
            {t.form.sampleText}
          </Text>
          <SampleEditor value={sample} eventTypes={chosen} onChange={onSample} />
        </section>
      )}
    </Stack>
  );
}

/** Edits the name and the description of the flow. */
export function SettingsForm() {
  const { draft, edit, problems } = useFlowView();
  const own = problemsAt(problems, "flow");
  const errorOf = (name: string) => own.find(({ path }) => path === name)?.message;
  return (
    <Stack gap="sm">
      <h2 className={classes.formTitle}>
        <span>{t.editor.settings}</span>
      </h2>
      <Problems problems={own.filter(({ path }) => path !== "name" && path !== "description")} />
      <TextInput
        size="xs"
        label={t.form.name}
        placeholder={t.form.namePlaceholder}
        withAsterisk
        maxLength={100}
        disabled={edit === null}
        value={draft.name}
        error={errorOf("name")}
        onChange={(event) => edit?.({ type: "settings", settings: { name: event.currentTarget.value } })}
      />
      <Textarea
        size="xs"
        label={t.form.description}
        description={t.form.descriptionHelp}
        rows={3}
        maxLength={500}
        disabled={edit === null}
        value={draft.description}
        error={errorOf("description")}
        onChange={(event) => edit?.({ type: "settings", settings: { description: event.currentTarget.value } })}
      />
    </Stack>
  );
}
