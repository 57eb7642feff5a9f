import { providerList } from "@api/providers";
import { ErrorPanel, FormError } from "@components/ErrorPanel";
import { FormActions } from "@components/FormActions";
import { options } from "@components/options";
import { fieldErrors } from "@components/problem";
import { Modal, NativeSelect, Stack, TextInput } from "@mantine/core";
import type { IntegrationType, ProviderSummary } from "@sdk/generated/models";
import { integrations as t } from "@strings/integrations";
import { providers as words } from "@strings/providers";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { useCreateIntegration } from "./queries";

/** The fields that show their errors themselves. */
const FIELDS = ["provider", "type", "name"];

/** The dialog that creates an integration. The integration's page then asks for what the provider requires. */
export function CreateIntegration({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title={t.form.title}>
      <Form onCancel={onClose} />
    </Modal>
  );
}

function Form({ onCancel }: { onCancel: () => void }) {
  const catalogue = useQuery(providerList);
  const [key, setKey] = useState("");
  const [name, setName] = useState("");
  const [type, setType] = useState<IntegrationType>("CUSTOM");
  const navigate = useNavigate();
  const create = useCreateIntegration(
    ({ id }) => void navigate({ to: "/integrations/$integrationId", params: { integrationId: id } }),
  );
  const errors = fieldErrors(create.error);
  const chosen = catalogue.data?.find((provider) => provider.key === key);

  function choose(next: string): void {
    const provider = catalogue.data?.find((each) => each.key === next);
    const isPreset = name === "" || name === chosen?.name;
    setKey(next);
    if (provider && isPreset) setName(provider.templateId === null ? "" : provider.name);
    if (provider) setType(provider.type);
  }

  function submit(event: FormEvent): void {
    event.preventDefault();
    create.mutate({ name: name.trim(), type, provider: key });
  }

  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <NativeSelect
          label={t.form.provider}
          description={t.form.providerHelp}
          required
          data-autofocus
          value={key}
          data={[{ value: "", label: "" }, ...grouped(catalogue.data ?? [])]}
          error={errors.provider}
          onChange={(event) => choose(event.currentTarget.value)}
        />
        {chosen?.templateId === null && (
          <NativeSelect
            label={t.form.type}
            value={type}
            data={options(words.types)}
            error={errors.type}
            onChange={(event) => setType(event.currentTarget.value as IntegrationType)}
          />
        )}
        <TextInput
          label={t.form.name}
          description={t.form.nameHelp}
          required
          maxLength={100}
          value={name}
          error={errors.name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        {catalogue.error && <ErrorPanel error={catalogue.error} onRetry={() => void catalogue.refetch()} />}
        <FormError error={create.error} fields={FIELDS} />
        <FormActions submit={t.form.submit} isRunning={create.isPending} onCancel={onCancel} />
      </Stack>
    </form>
  );
}

function grouped(providers: readonly ProviderSummary[]) {
  const options = (known: boolean) =>
    providers
      .filter(({ templateId }) => (templateId !== null) === known)
      .map(({ key, name }) => ({ value: key, label: name }));
  return [
    { group: t.form.known, items: options(true) },
    { group: t.form.other, items: options(false) },
  ].filter(({ items }) => items.length > 0);
}
