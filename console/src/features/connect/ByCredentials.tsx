import { isHttp } from "@api/providerWindow";
import { fieldErrorsOf } from "@components/problem";
import { SchemaError, SchemaFields } from "@components/SchemaFields";
import { type FieldValues, fieldsOf, filled } from "@components/schema";
import { Anchor, Button, Stack } from "@mantine/core";
import type { Patchbay } from "@sdk/client";
import type { ConnectableIntegration, Connection } from "@sdk/generated/models";
import { connect as t } from "@strings/connect";
import { type FormEvent, useState } from "react";
import { Assurance } from "./Assurance";
import classes from "./ConnectPage.module.css";
import { labelOf } from "./session";
import { useSettled } from "./useSettled";

interface Props {
  client: Patchbay;
  integration: ConnectableIntegration;
  who: string;
  onDone: (connection: Connection) => void;
}

/** Connects an account with the credentials that the provider uses, such as hosts and keys. */
export function ByCredentials({ client, integration, who, onDone }: Props) {
  const [values, setValues] = useState<FieldValues>({});
  const [error, setError] = useState<unknown>(null);
  const [isSending, setSending] = useState(false);
  const fields = fieldsOf(integration.credentialsSchema);
  const { documentationUrl } = integration;
  const isSettled = useSettled();

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault();
    setSending(true);
    try {
      onDone(
        await client.connections.create(integration.id, { credentials: filled(values) as Record<string, string> }),
      );
    } catch (problem) {
      setError(problem);
      setSending(false);
    }
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack gap="md">
        <h2 className={classes.subtitle}>{t.keysTitle(labelOf(integration))}</h2>
        <p className={classes.text}>{t.keys(who)}</p>
        {!integration.isKnown && <Assurance integration={integration} who={who} />}
        <SchemaFields
          fields={fields}
          values={values}
          errors={fieldErrorsOf(error, "credentials")}
          onChange={(name, value) => setValues((before) => ({ ...before, [name]: value }))}
        />
        {documentationUrl && isHttp(documentationUrl) && (
          <Anchor href={documentationUrl} target="_blank" rel="noreferrer" size="sm">
            {t.documentation}
          </Anchor>
        )}
        <SchemaError error={error} object="credentials" fields={fields} />
        <p className={classes.text}>{t.careful(who)}</p>
        <Button type="submit" fullWidth size="md" disabled={!isSettled} loading={isSending}>
          {t.submit}
        </Button>
      </Stack>
    </form>
  );
}
