import { CodeBlock } from "@components/CodeBlock";
import { FilterBuilder } from "@components/filters/FilterBuilder";
import type { Field } from "@components/filters/fields";
import { StatusBadge } from "@components/StatusBadge";
import { ActionIcon, Group, NativeSelect, Stack, Text, TextInput, Tooltip } from "@mantine/core";
import type { DryRunStep } from "@sdk/generated/models";
import { flows as t } from "@strings/flows";
import { IconArrowDown, IconArrowUp, IconCopy, IconTrash, type TablerIcon } from "@tabler/icons-react";
import { useState } from "react";
import { ActionForm } from "./ActionForm";
import classes from "./flows.module.css";
import { isStepId, MAX_WAIT_SECONDS, type Step, type StepOf } from "./model/definition";
import { shiftedPlace } from "./model/edit";
import type { FlowProblem } from "./model/problems";
import { RequestForm } from "./RequestForm";
import type { Values } from "./ValueInput";
import { problemsAt, useFlowView } from "./view";
import { WebhookForm } from "./WebhookForm";
import { ICONS, runStatus, titleOf } from "./words";

interface Props {
  step: Step;
  values: Values;
  /** The step's result in the last dry run. */
  tried?: DryRunStep;
}

/** Edits a step: the fields that all steps have, then those of its type, then its result in the last dry run. */
export function StepForm({ step, values, tried }: Props) {
  const { edit, problems } = useFlowView();
  const own = problemsAt(problems, { step: step.id });
  const errorOf = (path: string) => own.find((problem) => problem.path === path)?.message;
  const disabled = edit === null;
  const change = (changed: Step, typing?: string) => edit?.({ type: "change", id: step.id, step: changed, typing });
  return (
    <Stack gap="sm">
      <Head step={step} />
      <Problems problems={own.filter(({ path }) => !hasField(step, path))} />
      <TextInput
        size="xs"
        label={t.form.stepName}
        placeholder={t.types[step.type]}
        maxLength={100}
        disabled={disabled}
        value={step.name ?? ""}
        error={errorOf("name")}
        onChange={(event) => {
          const { name: _, ...unnamed } = step;
          const name = event.currentTarget.value;
          change((name === "" ? unnamed : { ...step, name }) as Step, "name");
        }}
      />
      <OfType step={step} values={values} own={own} errorOf={errorOf} disabled={disabled} onChange={change} />
      <StepId
        key={step.id}
        id={step.id}
        disabled={disabled}
        onChange={(to) => edit?.({ type: "rename", id: step.id, to })}
      />
      {tried && <Tried step={tried} />}
    </Stack>
  );
}

interface TypeProps {
  step: Step;
  values: Values;
  own: readonly FlowProblem[];
  errorOf: (path: string) => string | undefined;
  disabled: boolean;
  onChange: (step: Step, typing?: string) => void;
}

function OfType({ step, values, own, errorOf, disabled, onChange }: TypeProps) {
  switch (step.type) {
    case "webhook":
      return <WebhookForm step={step} values={values} errorOf={errorOf} disabled={disabled} onChange={onChange} />;
    case "action":
      return <ActionForm step={step} values={values} errorOf={errorOf} disabled={disabled} onChange={onChange} />;
    case "request":
      return <RequestForm step={step} values={values} errorOf={errorOf} disabled={disabled} onChange={onChange} />;
    case "wait":
      return <WaitForm step={step} error={errorOf("seconds")} disabled={disabled} onChange={onChange} />;
    case "filter":
      return (
        <StepFilters
          label={t.form.filters}
          value={step.filters}
          values={values}
          errors={below(own, "filters")}
          disabled={disabled}
          onChange={(filters) => onChange({ ...step, filters }, "filters")}
        />
      );
    case "branch":
      return (
        <StepFilters
          label={t.form.condition}
          value={step.condition}
          values={values}
          errors={below(own, "condition")}
          disabled={disabled}
          onChange={(condition) => onChange({ ...step, condition }, "condition")}
        />
      );
  }
}

function Head({ step }: { step: Step }) {
  const { draft, edit } = useFlowView();
  const Icon = ICONS[step.type];
  const { id } = step;
  return (
    <Group justify="space-between" wrap="nowrap" gap="xs">
      <h2 className={classes.formTitle}>
        <Icon size={18} stroke={1.7} aria-hidden />
        <span>{titleOf(step)}</span>
      </h2>
      {edit && (
        <Group gap={0} wrap="nowrap">
          <Tool
            label={t.editor.moveUp}
            icon={IconArrowUp}
            disabled={shiftedPlace(draft.steps, id, -1) === null}
            onClick={() => edit({ type: "shift", id, by: -1 })}
          />
          <Tool
            label={t.editor.moveDown}
            icon={IconArrowDown}
            disabled={shiftedPlace(draft.steps, id, 1) === null}
            onClick={() => edit({ type: "shift", id, by: 1 })}
          />
          <Tool label={t.editor.duplicate} icon={IconCopy} onClick={() => edit({ type: "duplicate", id })} />
          <Tool label={t.editor.remove} icon={IconTrash} onClick={() => edit({ type: "remove", id })} />
        </Group>
      )}
    </Group>
  );
}

function Tool(props: { label: string; icon: TablerIcon; disabled?: boolean; onClick: () => void }) {
  const { label, icon: Icon, disabled = false, onClick } = props;
  return (
    <Tooltip label={label}>
      <ActionIcon aria-label={label} disabled={disabled} onClick={onClick}>
        <Icon size={16} aria-hidden />
      </ActionIcon>
    </Tooltip>
  );
}

/** Shows the problems that no field shows. */
export function Problems({ problems }: { problems: readonly FlowProblem[] }) {
  if (problems.length === 0) return null;
  return (
    <ul className={classes.problems}>
      {problems.map(({ path, message }) => (
        <li key={path + message}>{message}</li>
      ))}
    </ul>
  );
}

interface FiltersProps {
  label: string;
  value: StepOf<"filter">["filters"];
  values: Values;
  errors: { path: string; message: string }[];
  disabled: boolean;
  onChange: (value: StepOf<"filter">["filters"]) => void;
}

function StepFilters({ label, value, values, errors, disabled, onChange }: FiltersProps) {
  const fields: Field[] = values.groups.flatMap((group) => group.fields);
  const [whole, inside] = [errors.find(({ path }) => path === ""), errors.filter(({ path }) => path !== "")];
  return (
    <fieldset className={classes.plain} disabled={disabled}>
      <legend className={classes.legend}>{label}</legend>
      <FilterBuilder
        label={label}
        value={value}
        sample={values.content}
        fields={fields}
        errors={inside}
        empty={whole?.message ?? t.form.noConditions}
        onChange={onChange}
      />
    </fieldset>
  );
}

const UNITS = [86_400, 3_600, 60, 1];

function WaitForm({
  step,
  error,
  disabled,
  onChange,
}: {
  step: StepOf<"wait">;
  error?: string;
  disabled: boolean;
  onChange: (step: Step, typing?: string) => void;
}) {
  const [unit, setUnit] = useState(() => UNITS.find((size) => step.seconds % size === 0) ?? 1);
  const amount = step.seconds / unit;
  return (
    <Group gap="xs" align="end" wrap="nowrap">
      <TextInput
        size="xs"
        type="number"
        min={1}
        max={MAX_WAIT_SECONDS / unit}
        label={t.form.seconds}
        withAsterisk
        disabled={disabled}
        value={Number.isFinite(amount) ? String(amount) : ""}
        error={error}
        onChange={(event) =>
          onChange({ ...step, seconds: Math.round(Number(event.currentTarget.value) * unit) }, "seconds")
        }
      />
      <NativeSelect
        size="xs"
        aria-label={t.form.unit}
        disabled={disabled}
        value={String(unit)}
        data={UNITS.toReversed().map((size) => ({ value: String(size), label: t.form.units[size] ?? "" }))}
        onChange={(event) => {
          const size = Number(event.currentTarget.value);
          setUnit(size);
          onChange({ ...step, seconds: Math.max(1, Math.round(amount)) * size });
        }}
      />
    </Group>
  );
}

function StepId({ id, disabled, onChange }: { id: string; disabled: boolean; onChange: (id: string) => void }) {
  const { draft } = useFlowView();
  const [text, setText] = useState(id);
  const isFree = text === id || (isStepId(text) && !JSON.stringify(draft.steps).includes(`"id":"${text}"`));
  const commit = () => (isFree && text !== id ? onChange(text) : undefined);
  return (
    <TextInput
      size="xs"
      label={t.form.stepId}
      description={t.form.stepIdHelp}
      spellCheck={false}
      disabled={disabled}
      value={text}
      error={isFree ? undefined : t.form.badId}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={commit}
      onKeyDown={(event) => event.key === "Enter" && commit()}
    />
  );
}

/** Shows what the dry run did with the step. */
function Tried({ step }: { step: DryRunStep }) {
  return (
    <section className={classes.tried} aria-label={t.dryRun.title}>
      <Group gap="xs">
        <h3 className={classes.heading}>{t.dryRun.title}</h3>
        <StatusBadge {...runStatus(step.status)} />
      </Group>
      <Text size="sm">{step.error?.detail ?? step.detail}</Text>
      {step.missing.length > 0 && (
        <Text size="xs" c="var(--pb-warning)">
          {t.dryRun.missing(step.missing)}
        </Text>
      )}
      {step.input && (
        <div>
          <p className={classes.label}>{t.dryRun.input}</p>
          <CodeBlock label={t.dryRun.input} value={step.input} />
        </div>
      )}
      {step.output && (
        <div>
          <p className={classes.label}>{t.dryRun.output}</p>
          <CodeBlock label={t.dryRun.output} value={step.output} />
        </div>
      )}
    </section>
  );
}

/** The problems in a field, with paths relative to the field. */
function below(problems: readonly FlowProblem[], field: string): { path: string; message: string }[] {
  return problems
    .filter(({ path }) => path === field || path.startsWith(`${field}.`))
    .map(({ path, message }) => ({ path: path.slice(field.length + 1), message }));
}

/** Whether the form has a field that shows problems at this path. */
function hasField(step: Step, path: string): boolean {
  const [root = ""] = path.split(".");
  const fields: Record<Step["type"], readonly string[]> = {
    webhook: ["name", "webhookId", "data"],
    action: ["name", "action", "input"],
    request: ["name", "connectionId", "method", "url", "query", "headers", "body"],
    wait: ["name", "seconds"],
    filter: ["name", "filters"],
    branch: ["name", "condition"],
  };
  return fields[step.type].includes(root);
}
