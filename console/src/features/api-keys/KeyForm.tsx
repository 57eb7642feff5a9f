import { useCan, useSession } from "@api/session";
import { FormError } from "@components/ErrorPanel";
import { FormActions } from "@components/FormActions";
import { options } from "@components/options";
import { fieldErrors } from "@components/problem";
import { NativeSelect, Stack, Text, TextInput } from "@mantine/core";
import { apiKeys as t } from "@strings/api-keys";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import classes from "./parts.module.css";
import { targetWebhooks } from "./queries";
import { ScopeMatrix } from "./ScopeMatrix";
import { grantsOwn, isScope } from "./scopes";
import { type DeliverKind, type ExpiryChoice, ownScopes, type RotationKind, type Terms } from "./terms";

interface Props {
  initial: Terms;
  submit: string;
  /** Whether the key exists: its values take precedence over the defaults. */
  isEdit?: boolean;
  isRunning: boolean;
  error: unknown;
  onSubmit: (terms: Terms) => void;
  onCancel: () => void;
}

/** The fields that show their errors themselves. */
const FIELDS = ["name", "scopes", "rateLimitPerHour", "rateLimitPerDay", "expiresAt", "rotation"];

type Set = <Name extends keyof Terms>(name: Name, value: Terms[Name]) => void;

interface PartProps {
  terms: Terms;
  set: Set;
  errors: Record<string, string>;
}

/** The terms of a key: who uses it, its permissions, its limits, and its lifetime. */
export function KeyForm({ initial, submit, isEdit = false, isRunning, error, onSubmit, onCancel }: Props) {
  const { role } = useSession();
  const [terms, setTerms] = useState(initial);
  const [wasTried, setTried] = useState(false);
  const set: Set = (name, value) => setTerms((old) => ({ ...old, [name]: value }));
  const errors = fieldErrors(error);
  const wrong = ownScopes(terms.own).find((word) => !isScope(word));
  const isEmpty = terms.scopes.length === 0 && ownScopes(terms.own).length === 0;
  const isWebhookMissing = terms.rotation === "days" && terms.deliver === "webhook" && terms.webhookId === "";
  const hasOwn = grantsOwn(role) || initial.own !== "";

  function send(event: FormEvent): void {
    event.preventDefault();
    setTried(true);
    if (!isEmpty && wrong === undefined && !isWebhookMissing) onSubmit(terms);
  }

  return (
    <form onSubmit={send}>
      <Stack gap="lg">
        <TextInput
          label={t.form.name}
          description={t.form.nameHelp}
          placeholder={t.form.namePlaceholder}
          required
          maxLength={100}
          data-autofocus
          value={terms.name}
          error={errors.name}
          onChange={(event) => set("name", event.currentTarget.value)}
        />
        <div>
          <ScopeMatrix
            value={terms.scopes}
            onChange={(scopes) => set("scopes", scopes)}
            error={wasTried && isEmpty ? t.form.noScope : errors.scopes}
          />
          {hasOwn && (
            <TextInput
              mt="sm"
              label={t.form.own}
              description={t.form.ownHelp}
              autoComplete="off"
              value={terms.own}
              error={wrong !== undefined && wasTried ? t.form.ownWrong(wrong) : undefined}
              onChange={(event) => set("own", event.currentTarget.value)}
            />
          )}
        </div>
        <Limits terms={terms} set={set} errors={errors} />
        <Expiry terms={terms} set={set} errors={errors} />
        <Rotation terms={terms} set={set} errors={errors} isEdit={isEdit} isMissing={wasTried && isWebhookMissing} />
        <FormError error={error} fields={FIELDS} />
        <FormActions submit={submit} isRunning={isRunning} onCancel={onCancel} />
      </Stack>
    </form>
  );
}

function Limits({ terms, set, errors }: PartProps) {
  return (
    <fieldset className={classes.fieldset}>
      <legend>{t.form.limits}</legend>
      <div className={classes.pair}>
        <TextInput
          label={t.form.perHour}
          type="number"
          required
          min={1}
          max={1_000_000}
          value={terms.perHour}
          error={errors.rateLimitPerHour}
          onChange={(event) => set("perHour", event.currentTarget.value)}
        />
        <TextInput
          label={t.form.perDay}
          type="number"
          required
          min={1}
          max={24_000_000}
          value={terms.perDay}
          error={errors.rateLimitPerDay}
          onChange={(event) => set("perDay", event.currentTarget.value)}
        />
      </div>
    </fieldset>
  );
}

function Expiry({ terms, set, errors }: PartProps) {
  return (
    <fieldset className={classes.fieldset}>
      <legend>{t.form.expiry}</legend>
      <div className={classes.pair}>
        <NativeSelect
          label={t.form.expires}
          value={terms.expiry}
          data={options(t.form.expiryOptions)}
          error={errors.expiresAt}
          onChange={(event) => set("expiry", event.currentTarget.value as ExpiryChoice)}
        />
        {terms.expiry === "date" && (
          <TextInput
            label={t.form.expiryDate}
            type="date"
            required
            value={terms.date}
            onChange={(event) => set("date", event.currentTarget.value)}
          />
        )}
      </div>
      {terms.expiry === "never" && (
        <Text size="xs" c="dimmed" mt={6}>
          {t.form.expiryNever}
        </Text>
      )}
    </fieldset>
  );
}

function Rotation({ terms, set, errors, isEdit, isMissing }: PartProps & { isEdit: boolean; isMissing: boolean }) {
  const hasTarget = terms.deliver !== "remind";
  return (
    <fieldset className={classes.fieldset}>
      <legend>{t.form.rotation}</legend>
      <Stack gap="sm">
        <NativeSelect
          label={t.form.rotationKind}
          value={terms.rotation}
          data={options(t.form.rotationOptions)}
          error={errors.rotation}
          onChange={(event) => set("rotation", event.currentTarget.value as RotationKind)}
        />
        {terms.rotation === "days" && (
          <>
            <div className={classes.pair}>
              <TextInput
                label={t.form.everyDays}
                type="number"
                required
                min={1}
                max={365}
                value={terms.everyDays}
                onChange={(event) => set("everyDays", event.currentTarget.value)}
              />
              <TextInput
                label={t.form.overlapDays}
                type="number"
                required
                min={0}
                max={Math.min(30, Number(terms.everyDays) || 30)}
                step="any"
                value={terms.overlapDays}
                onChange={(event) => set("overlapDays", event.currentTarget.value)}
              />
            </div>
            <NativeSelect
              label={t.form.deliver}
              description={hasTarget ? undefined : t.form.remindHelp}
              value={terms.deliver}
              data={options(t.form.deliverOptions)}
              onChange={(event) => set("deliver", event.currentTarget.value as DeliverKind)}
            />
            {terms.deliver === "webhook" && (
              <WebhookInput
                value={terms.webhookId}
                onChange={(id) => set("webhookId", id)}
                error={isMissing ? t.form.webhookMissing : undefined}
              />
            )}
            {terms.deliver === "secret" && (
              <TextInput
                label={t.form.secretArn}
                description={t.form.secretHelp}
                required
                maxLength={2048}
                autoComplete="off"
                value={terms.secretArn}
                onChange={(event) => set("secretArn", event.currentTarget.value)}
              />
            )}
            {isEdit && hasTarget && (
              <Text size="xs" c="dimmed">
                {t.form.confirmsTarget}
              </Text>
            )}
          </>
        )}
      </Stack>
    </fieldset>
  );
}

interface WebhookProps {
  value: string;
  onChange: (id: string) => void;
  error: string | undefined;
}

/** Selects one of the workspace's webhooks, or takes an ID if the session may not list them. */
function WebhookInput({ value, onChange, error }: WebhookProps) {
  const canList = useCan("webhooks:read");
  const webhooks = useQuery({ ...targetWebhooks, enabled: canList });
  if (!canList || webhooks.error) {
    return (
      <TextInput
        label={t.form.webhookId}
        required
        autoComplete="off"
        value={value}
        error={error}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
    );
  }
  const found = webhooks.data ?? [];
  const isUnknown = value !== "" && found.every(({ id }) => id !== value);
  return (
    <NativeSelect
      label={t.form.webhook}
      withAsterisk
      value={value}
      error={error}
      data={[
        { value: "", label: "" },
        ...(isUnknown ? [{ value, label: value }] : []),
        ...found
          .filter(({ kind, status }) => kind === "push" && status === "ACTIVE")
          .map(({ id, name }) => ({ value: id, label: name })),
      ]}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}
