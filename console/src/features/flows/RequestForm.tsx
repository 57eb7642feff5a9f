import { useCan } from "@api/session";
import { ErrorPanel } from "@components/ErrorPanel";
import { isObject } from "@components/filters/evaluate";
import { options } from "@components/options";
import { NativeSelect, Select, Stack, Text } from "@mantine/core";
import { flows as t } from "@strings/flows";
import { skipToken, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { FieldRows } from "./FieldRows";
import classes from "./flows.module.css";
import { DEFAULT_NAME, METHODS, type StepOf } from "./model/definition";
import { meantBy, textOf } from "./model/input";
import { connections } from "./queries";
import { ValueInput, type Values } from "./ValueInput";

interface Props {
  step: StepOf<"request">;
  values: Values;
  errorOf: (path: string) => string | undefined;
  disabled: boolean;
  onChange: (step: StepOf<"request">, typing?: string) => void;
}

/** Edits the connection that the step uses, and the request that it sends. */
export function RequestForm({ step, values, errorOf, disabled, onChange }: Props) {
  const canUseTokens = useCan("credentials:use");
  return (
    <Stack gap="sm">
      {!canUseTokens && !disabled && (
        <Text size="sm" c="dimmed">
          {t.form.noTokens}
        </Text>
      )}
      <ConnectionSelect step={step} error={errorOf("connectionId")} disabled={disabled} onChange={onChange} />
      <NativeSelect
        size="xs"
        label={t.form.method}
        disabled={disabled}
        value={step.method}
        data={[...METHODS]}
        error={errorOf("method")}
        onChange={(event) => {
          const method = event.currentTarget.value as typeof step.method;
          const { body, ...bodiless } = step;
          onChange(method === "GET" ? { ...bodiless, method } : { ...step, method });
        }}
      />
      <ValueInput
        label={t.form.url}
        description={t.form.urlHelp}
        required
        value={step.url}
        values={values}
        error={errorOf("url")}
        disabled={disabled}
        onChange={(url) => onChange({ ...step, url }, "url")}
      />
      <Part label={t.form.query} error={errorOf("query")} disabled={disabled}>
        <FieldRows
          words={t.form.queryWords}
          fields={step.query ?? {}}
          values={values}
          disabled={disabled}
          onChange={(query) => onChange({ ...step, query }, "query")}
        />
      </Part>
      <Part label={t.form.headers} help={t.form.headersHelp} error={errorOf("headers")} disabled={disabled}>
        <FieldRows
          words={t.form.headerWords}
          fields={step.headers ?? {}}
          values={values}
          disabled={disabled}
          isText
          onChange={(headers) => onChange({ ...step, headers: headers as Record<string, string> }, "headers")}
        />
      </Part>
      {step.method !== "GET" && (
        <Body step={step} values={values} error={errorOf("body")} disabled={disabled} onChange={onChange} />
      )}
    </Stack>
  );
}

function ConnectionSelect({
  step,
  error,
  disabled,
  onChange,
}: Pick<Props, "step" | "disabled" | "onChange"> & { error?: string }) {
  const canRead = [useCan("connections:read"), useCan("integrations:read")].every(Boolean);
  const query = useQuery({ ...connections, queryFn: canRead ? connections.queryFn : skipToken });
  const known = query.data ?? [];
  const name = step.connectionId ?? DEFAULT_NAME;
  const own = keyOf(step.integrationId, name);
  const isListed = step.integrationId === "" || known.some((one) => keyOf(one.integrationId, one.name) === own);
  const listed = known.map((one) => ({
    value: keyOf(one.integrationId, one.name),
    label: [one.integration, one.account ?? one.name].join(" · "),
  }));
  return (
    <>
      {query.error && <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />}
      <Select
        size="xs"
        label={t.form.connection}
        description={t.form.connectionHelp}
        placeholder={t.check.connection}
        searchable
        withAsterisk
        disabled={disabled}
        data={isListed ? listed : [{ value: own, label: name }, ...listed]}
        value={step.integrationId === "" ? null : own}
        error={error}
        onChange={(key) => {
          const [integrationId = "", connectionId = ""] = (key ?? "").split("/");
          onChange({ ...step, integrationId, connectionId });
        }}
      />
      {query.data && known.length === 0 && (
        <Text size="xs" c="dimmed">
          {t.form.noConnections} <Link to="/connections">{t.form.addConnection}</Link>
        </Text>
      )}
    </>
  );
}

/** Neither ID contains a slash. */
function keyOf(integrationId: string, connectionId: string): string {
  return `${integrationId}/${connectionId}`;
}

interface PartProps {
  label: string;
  help?: string;
  error?: string;
  disabled: boolean;
  children: ReactNode;
}

function Part({ label, help, error, disabled, children }: PartProps) {
  return (
    <fieldset className={classes.plain} disabled={disabled}>
      <legend className={classes.legend}>{label}</legend>
      {help && (
        <Text size="xs" c="dimmed">
          {help}
        </Text>
      )}
      {children}
      {error && (
        <Text size="xs" c="var(--mantine-color-error)">
          {error}
        </Text>
      )}
    </fieldset>
  );
}

type BodyKind = keyof typeof t.form.bodies;

function Body({
  step,
  values,
  error,
  disabled,
  onChange,
}: Pick<Props, "step" | "values" | "disabled" | "onChange"> & { error?: string }) {
  const body = step.body ?? null;
  const kind: BodyKind = body === null ? "none" : isObject(body) ? "fields" : "text";
  const set = (changed: unknown, typing?: string) =>
    onChange({ ...step, body: changed as StepOf<"request">["body"] }, typing);
  return (
    <>
      <NativeSelect
        size="xs"
        label={t.form.body}
        disabled={disabled}
        value={kind}
        data={options(t.form.bodies)}
        onChange={(event) => set({ none: undefined, fields: {}, text: "" }[event.currentTarget.value as BodyKind])}
      />
      {isObject(body) && (
        <FieldRows
          words={t.form.dataWords}
          fields={body}
          values={values}
          disabled={disabled}
          onChange={(fields) => set(fields, "body")}
        />
      )}
      {kind === "text" && (
        <ValueInput
          label={t.form.bodies.text}
          hideLabel
          multiline
          value={textOf("json", body)}
          values={values}
          disabled={disabled}
          onChange={(text) => set(meantBy("text", text) ?? "", "body")}
        />
      )}
      {error && (
        <Text size="xs" c="var(--mantine-color-error)">
          {error}
        </Text>
      )}
    </>
  );
}
