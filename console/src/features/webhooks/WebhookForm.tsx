import { ErrorPanel } from "@components/ErrorPanel";
import { EventFilters } from "@components/filters/FilterBuilder";
import { type Sample, SampleEditor } from "@components/filters/SampleEditor";
import { options } from "@components/options";
import { Panel } from "@components/Panel";
import { fieldErrors, problemOf } from "@components/problem";
import { NativeSelect, Radio, Stack, TextInput } from "@mantine/core";
import "@mantine/core/styles/Radio.css";
import type { EventTypeInfo, WebhookKind } from "@sdk/generated/models";
import { webhookForm as t } from "@strings/webhook-form";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { type Draft, isNumberIn, NUMBERS, type NumberField } from "./draft";
import { EventTypePicker } from "./EventTypePicker";
import classes from "./form.module.css";
import { HeadersEditor } from "./HeadersEditor";
import { eventTypes } from "./queries";

/** The fields of the API whose errors the form shows. */
export const FIELDS = [
  "name",
  "url",
  "eventTypes",
  "filters",
  "headers",
  "retryConfig",
  "rateLimitPerSecond",
  "disableAfter",
  "secret",
  "expiresInSeconds",
];

interface Props {
  draft: Draft;
  isNew: boolean;
  isReadOnly?: boolean;
  /** The URL has a different origin than the stored one. */
  mustRetype?: boolean;
  error: unknown;
  /** The user tried to submit the form, so missing values are errors. */
  isSubmitted: boolean;
  onChange: (draft: Draft) => void;
}

/** Whether the form can be submitted. If not, the fields show why. */
export function isComplete(draft: Draft, mustRetype = false): boolean {
  if (!draft.isEverything && draft.types.length === 0) return false;
  if (draft.kind === "pull") return true;
  if (mustRetype && draft.headers.some(({ isStored }) => isStored)) return false;
  return numbersOf(draft).every((field) => isNumberIn(draft[field], field));
}

/** The fields of a webhook, for creating and for editing it. */
export function WebhookForm({
  draft,
  isNew,
  isReadOnly = false,
  mustRetype = false,
  error,
  isSubmitted,
  onChange,
}: Props) {
  const catalogue = useQuery(eventTypes);
  const all = catalogue.data ?? [];
  const errors = fieldErrors(error);
  const set = (changes: Partial<Draft>) => onChange({ ...draft, ...changes });
  const isTypeMissing = isSubmitted && !draft.isEverything && draft.types.length === 0;

  function number(field: NumberField, label: string, name: string, description?: string) {
    const isWrong = numbersOf(draft).includes(field) && !isNumberIn(draft[field], field);
    return (
      <TextInput
        label={label}
        description={description}
        inputMode={field === "multiplier" ? "decimal" : "numeric"}
        readOnly={isReadOnly}
        value={draft[field]}
        error={isWrong ? t.notNumber(...NUMBERS[field]) : errors[name]}
        onChange={(event) => set({ [field]: event.currentTarget.value })}
      />
    );
  }

  return (
    <Stack gap="lg">
      <Panel title={t.endpoint}>
        <div className={classes.fields}>
          {isNew && (
            <Radio.Group label={t.kind} value={draft.kind} onChange={(kind) => set({ kind: kind as WebhookKind })}>
              <Stack gap={8} mt={8}>
                {Object.entries(t.kinds).map(([kind, label]) => (
                  <Radio key={kind} value={kind} label={label} />
                ))}
              </Stack>
            </Radio.Group>
          )}
          <TextInput
            label={t.name}
            placeholder={t.namePlaceholder}
            required
            maxLength={100}
            readOnly={isReadOnly}
            value={draft.name}
            error={errors.name}
            onChange={(event) => set({ name: event.currentTarget.value })}
          />
          {draft.kind === "push" && (
            <TextInput
              label={t.url}
              description={t.urlHelp}
              type="url"
              required
              autoComplete="off"
              spellCheck={false}
              readOnly={isReadOnly}
              value={draft.url}
              error={errors.url}
              onChange={(event) => set({ url: event.currentTarget.value })}
            />
          )}
          {draft.kind === "pull" && isNew && (
            <NativeSelect
              label={t.expires}
              data={options(t.expiresChoices)}
              value={draft.expires}
              error={errors.expiresInSeconds}
              onChange={(event) => set({ expires: event.currentTarget.value })}
            />
          )}
        </div>
      </Panel>
      <Panel title={t.eventTypes}>
        {catalogue.error ? (
          <ErrorPanel error={catalogue.error} onRetry={() => void catalogue.refetch()} />
        ) : (
          <EventTypePicker
            catalogue={all}
            types={draft.types}
            isEverything={draft.isEverything}
            error={isTypeMissing ? t.typesMissing : errors.eventTypes}
            isReadOnly={isReadOnly}
            onChange={(types, isEverything) => set({ types, isEverything })}
          />
        )}
      </Panel>
      <Filters draft={draft} catalogue={all} error={error} isReadOnly={isReadOnly} onChange={set} />
      {draft.kind === "push" && (
        <Panel title={t.delivery}>
          <div className={classes.fields}>
            <HeadersEditor
              value={draft.headers}
              error={errors.headers}
              mustRetype={mustRetype}
              isReadOnly={isReadOnly}
              onChange={(headers) => set({ headers })}
            />
            <NativeSelect
              label={t.retries}
              data={options(t.retryChoices)}
              value={draft.schedule}
              disabled={isReadOnly}
              error={errors.retryConfig}
              onChange={(event) => set({ schedule: event.currentTarget.value as Draft["schedule"] })}
            />
            {draft.schedule === "own" && (
              <div className={classes.numbers}>
                {number("maxRetries", t.maxRetries, "")}
                {number("initialDelay", t.initialDelay, "")}
                {number("multiplier", t.multiplier, "")}
              </div>
            )}
            {number("rate", t.rate, "rateLimitPerSecond", t.rateHelp)}
            {number("disableAfter", t.disableAfter, "disableAfter", t.disableAfterHelp)}
            {isNew && <SecretField draft={draft} error={errors.secret} onChange={set} />}
          </div>
        </Panel>
      )}
    </Stack>
  );
}

interface PartProps {
  draft: Draft;
  onChange: (changes: Partial<Draft>) => void;
}

function SecretField({ draft, error, onChange }: PartProps & { error: string | undefined }) {
  return (
    <TextInput
      label={t.secret}
      description={t.secretHelp}
      type="password"
      autoComplete="new-password"
      value={draft.secret}
      error={error}
      onChange={(event) => onChange({ secret: event.currentTarget.value })}
    />
  );
}

interface FiltersProps extends PartProps {
  catalogue: readonly EventTypeInfo[];
  error: unknown;
  isReadOnly: boolean;
}

/** Edits the filters, next to a sample of a type that the webhook gets. */
function Filters({ draft, catalogue, error, isReadOnly, onChange }: FiltersProps) {
  const [edited, setEdited] = useState<Sample | null>(null);
  const { types, isEverything } = draft;
  const own = useMemo(
    () => (isEverything ? catalogue : catalogue.filter(({ type }) => types.includes(type))),
    [catalogue, types, isEverything],
  );
  const first = own[0] ?? catalogue[0];
  const initial = useMemo(() => first && { type: first.type, data: first.sample }, [first]);
  const sample = edited !== null && own.some(({ type }) => type === edited.type) ? edited : initial;
  if (isReadOnly && draft.filters.length === 0) return null;
  return (
    <Panel title={t.filters}>
      <p className={classes.note}>{t.filtersHelp}</p>
      <div className={draft.filters.length > 0 && sample && !isReadOnly ? classes.sides : undefined}>
        <fieldset className={classes.plain} disabled={isReadOnly} aria-label={t.filters}>
          <EventFilters
            eventTypes={own.length > 0 ? own : catalogue}
            sample={sample?.data}
            value={draft.filters}
            errors={errorsOfFilters(error)}
            onChange={(filters) => onChange({ filters })}
          />
        </fieldset>
        {draft.filters.length > 0 && sample && !isReadOnly && (
          <SampleEditor value={sample} eventTypes={own.length > 0 ? own : catalogue} onChange={setEdited} />
        )}
      </div>
    </Panel>
  );
}

/** The errors of filters, with paths in the format of the builder: `0.path`. */
function errorsOfFilters(error: unknown): { path: string; message: string }[] {
  return problemOf(error)
    .fields.filter(({ path }) => path.startsWith("filters."))
    .map(({ path, message }) => ({ path: path.slice("filters.".length), message }));
}

/** The number fields to validate: an empty rate is allowed. */
function numbersOf(draft: Draft): NumberField[] {
  return [
    ...(draft.schedule === "own" ? (["maxRetries", "initialDelay", "multiplier"] as const) : []),
    ...(draft.rate.trim() === "" ? [] : (["rate"] as const)),
    "disableAfter",
  ];
}
