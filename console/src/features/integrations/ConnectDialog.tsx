import { useAuthorization } from "@api/authorization";
import { notify } from "@api/notifications";
import { useProvider } from "@api/providers";
import { RETURN_PATH } from "@api/providerWindow";
import { api } from "@api/session";
import { AuthorizationProgress } from "@components/AuthorizationProgress";
import { ErrorPanel } from "@components/ErrorPanel";
import { FormActions } from "@components/FormActions";
import { fieldErrors, fieldErrorsOf } from "@components/problem";
import { SchemaError, SchemaFields } from "@components/SchemaFields";
import { PageSkeleton } from "@components/Skeletons";
import { type FieldValues, fieldsOf, filled } from "@components/schema";
import { Modal, NativeSelect, Stack, Text, TextInput } from "@mantine/core";
import type { Connection, Integration, Provider } from "@sdk/generated/models";
import { connections as t } from "@strings/connections";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { CONNECTED, nameOf, useCreateConnection } from "./connections";
import classes from "./integrations.module.css";
import { redirectUri } from "./kinds";

interface Props {
  opened: boolean;
  /** The integrations to choose from. */
  choices: readonly Integration[];
  /** The connection to reconnect. */
  again?: Connection;
  onClose: () => void;
}

/** Connects an account: on the provider's page, or with the credentials that the provider requires. */
export function ConnectDialog({ opened, choices, again, onClose }: Props) {
  const only = choices.length === 1 ? choices[0] : undefined;
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={again ? t.dialog.again(nameOf(again)) : only ? t.dialog.titleOf(only.name) : t.dialog.title}
      // A click outside would discard the input, or a flow that waits for the provider.
      closeOnClickOutside={false}
    >
      {only ? (
        <Connect integration={only} again={again} onDone={onClose} />
      ) : (
        <Choose choices={choices} onDone={onClose} />
      )}
    </Modal>
  );
}

function Choose({ choices, onDone }: { choices: readonly Integration[]; onDone: () => void }) {
  const [id, setId] = useState("");
  const chosen = choices.find((each) => each.id === id);
  return (
    <Stack gap="md">
      <NativeSelect
        label={t.dialog.integration}
        data-autofocus
        value={id}
        data={[{ value: "", label: t.dialog.choose }, ...choices.map((each) => ({ value: each.id, label: each.name }))]}
        onChange={(event) => setId(event.currentTarget.value)}
      />
      {chosen && <Connect key={id} integration={chosen} onDone={onDone} />}
    </Stack>
  );
}

interface ConnectProps {
  integration: Integration;
  again?: Connection;
  onDone: () => void;
}

function Connect({ integration, again, onDone }: ConnectProps) {
  const { provider, error, retry } = useProvider(integration);
  if (error) return <ErrorPanel error={error} onRetry={retry} />;
  if (!provider) return <PageSkeleton />;
  const Form = provider.authType === "OAUTH2" ? ByProvider : ByCredentials;
  return <Form integration={integration} provider={provider} again={again} onDone={onDone} />;
}

interface FormProps extends ConnectProps {
  provider: Provider;
}

function ByProvider({ integration, provider, again, onDone }: FormProps) {
  const [name, setName] = useState(again?.connectionId ?? "");
  const queries = useQueryClient();
  const label = provider.templateId === null ? integration.name : provider.name;
  const { state, begin, cancel } = useAuthorization({
    start: () =>
      api().connections.initiate(integration.id, {
        redirectUri: redirectUri(integration),
        returnUrl: location.origin + RETURN_PATH,
        ...(name.trim() && { connectionId: name.trim() }),
      }),
    complete: (parameters) =>
      api().connections.complete(parameters as Parameters<ReturnType<typeof api>["connections"]["complete"]>[0]),
    onDone: (connection) => {
      for (const queryKey of CONNECTED) void queries.invalidateQueries({ queryKey });
      notify({ message: t.dialog.connected(nameOf(connection)) });
      onDone();
    },
  });
  const errors = state.status === "failed" ? fieldErrors(state.error) : {};

  function submit(event: FormEvent): void {
    event.preventDefault();
    void begin();
  }

  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        {!again && (
          <NameField name={name} error={errors.connectionId} isFixed={state.status !== "idle"} onChange={setName} />
        )}
        <Asked integration={integration} provider={provider} label={label} />
        {state.status === "idle" ? (
          <>
            <Text size="sm" c="dimmed">
              {t.dialog.otherClient}
            </Text>
            <FormActions submit={t.dialog.proceed(label)} onCancel={onDone} />
          </>
        ) : (
          <AuthorizationProgress state={state} provider={label} onStart={() => void begin()} onCancel={cancel} />
        )}
      </Stack>
    </form>
  );
}

/** The scopes that the provider will be asked for, as text where Patchbay has it. */
function Asked({ integration, provider, label }: { integration: Integration; provider: Provider; label: string }) {
  const known = provider.oauth?.scopes ?? [];
  const names = integration.scopes.length > 0 ? integration.scopes : known.map((scope) => scope.name);
  return (
    <div>
      <Text size="sm" fw={500} mb={4}>
        {t.dialog.asks(label)}
      </Text>
      {names.length === 0 ? (
        <Text size="sm" c="dimmed">
          {t.dialog.defaults(label)}
        </Text>
      ) : (
        <ul className={classes.scopes}>
          {names.map((name) => {
            const words = known.find((scope) => scope.name === name)?.description;
            return (
              <li key={name} title={name}>
                {words ?? <span className={classes.mono}>{name}</span>}
              </li>
            );
          })}
        </ul>
      )}
    </div>
  );
}

function ByCredentials({ integration, provider, again, onDone }: FormProps) {
  const [name, setName] = useState(again?.connectionId ?? "");
  const [values, setValues] = useState<FieldValues>({});
  const create = useCreateConnection(onDone);
  const fields = fieldsOf(provider.credentialsSchema);

  function submit(event: FormEvent): void {
    event.preventDefault();
    create.mutate({
      integrationId: integration.id,
      connectionId: name.trim() || "default",
      credentials: filled(values) as Record<string, string>,
    });
  }

  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        {!again && (
          <NameField name={name} error={fieldErrors(create.error).connectionId} isFixed={false} onChange={setName} />
        )}
        <SchemaFields
          fields={fields}
          values={values}
          errors={fieldErrorsOf(create.error, "credentials")}
          onChange={(field, value) => setValues((before) => ({ ...before, [field]: value }))}
        />
        <SchemaError error={create.error} object="credentials" fields={fields} others={["connectionId"]} />
        <FormActions submit={t.dialog.submit} isRunning={create.isPending} onCancel={onDone} />
      </Stack>
    </form>
  );
}

interface NameFieldProps {
  name: string;
  error: string | undefined;
  isFixed: boolean;
  onChange: (name: string) => void;
}

function NameField({ name, error, isFixed, onChange }: NameFieldProps) {
  return (
    <TextInput
      label={t.dialog.name}
      description={t.dialog.nameHelp}
      placeholder={t.dialog.defaultName}
      maxLength={64}
      autoComplete="off"
      spellCheck={false}
      disabled={isFixed}
      value={name}
      error={error}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}
