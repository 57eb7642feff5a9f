import { ErrorPanel, FormError } from "@components/ErrorPanel";
import { fieldErrors } from "@components/problem";
import { Secret } from "@components/Secret";
import { Button, Checkbox, Group, Modal, MultiSelect, Stack, Text, TextInput } from "@mantine/core";
import "@mantine/core/styles/Checkbox.css";
import "@mantine/core/styles/Pill.css";
import "@mantine/core/styles/PillsInput.css";
import type { EventTypeInfo, WebhookWithSecret } from "@sdk/generated/models";
import { common } from "@strings/common";
import { webhooks as t } from "@strings/webhooks";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { eventTypes, useCreateWebhook } from "./queries";

/** The fields that show their own errors. */
const FIELDS = ["name", "url", "eventTypes"];

/** The dialog that adds a webhook, and then shows its secret once. */
export function CreateWebhook({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const [created, setCreated] = useState<WebhookWithSecret | null>(null);
  function close(): void {
    onClose();
    setCreated(null);
  }
  return (
    <Modal
      opened={opened}
      onClose={close}
      size="lg"
      title={created === null ? t.form.title : t.form.created(created.name)}
      closeButtonProps={{ "aria-label": common.actions.close }}
      // The secret would be lost by a click beside the dialog.
      closeOnClickOutside={created === null}
    >
      {created === null ? <Form onCreated={setCreated} onCancel={close} /> : <Created webhook={created} />}
    </Modal>
  );
}

function Form({ onCreated, onCancel }: { onCreated: (webhook: WebhookWithSecret) => void; onCancel: () => void }) {
  const [name, setName] = useState("");
  const [url, setUrl] = useState("");
  const [types, setTypes] = useState<string[]>([]);
  const [isEverything, setEverything] = useState(false);
  const [isTypeMissing, setTypeMissing] = useState(false);
  const catalogue = useQuery(eventTypes);
  const create = useCreateWebhook();
  const errors = fieldErrors(create.error);

  function submit(event: FormEvent): void {
    event.preventDefault();
    const isMissing = !isEverything && types.length === 0;
    setTypeMissing(isMissing);
    if (isMissing) return;
    create.mutate(
      { name: name.trim(), url: url.trim(), eventTypes: isEverything ? ["*"] : types },
      { onSuccess: onCreated },
    );
  }

  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <TextInput
          label={t.form.name}
          placeholder={t.form.namePlaceholder}
          required
          maxLength={100}
          data-autofocus
          value={name}
          error={errors.name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <TextInput
          label={t.form.url}
          description={t.form.urlHelp}
          type="url"
          required
          autoComplete="off"
          value={url}
          error={errors.url}
          onChange={(event) => setUrl(event.currentTarget.value)}
        />
        <MultiSelect
          label={t.form.eventTypes}
          description={t.form.eventTypesHelp}
          placeholder={types.length === 0 ? t.form.eventTypesPlaceholder : undefined}
          data={grouped(catalogue.data ?? [])}
          searchable
          hidePickedOptions
          withAsterisk={!isEverything}
          disabled={isEverything}
          maxDropdownHeight={260}
          value={types}
          error={isTypeMissing ? t.form.typesMissing : errors.eventTypes}
          onChange={setTypes}
        />
        <Checkbox
          label={t.form.everything}
          checked={isEverything}
          onChange={(event) => setEverything(event.currentTarget.checked)}
        />
        {catalogue.error && <ErrorPanel error={catalogue.error} onRetry={() => void catalogue.refetch()} />}
        <FormError error={create.error} fields={FIELDS} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onCancel}>
            {common.actions.cancel}
          </Button>
          <Button type="submit" loading={create.isPending}>
            {t.form.submit}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Created({ webhook }: { webhook: WebhookWithSecret }) {
  const navigate = useNavigate();
  return (
    <Stack gap="md">
      <Text c="dimmed">{t.form.createdText}</Text>
      <Secret label={t.form.secret} value={webhook.secret} />
      <Group justify="flex-end">
        <Button onClick={() => void navigate({ to: "/webhooks/$webhookId", params: { webhookId: webhook.id } })}>
          {t.form.open}
        </Button>
      </Group>
    </Stack>
  );
}

/** The event types by who publishes them, as the select shows them. */
function grouped(types: readonly EventTypeInfo[]) {
  return (["publishable", "operational", "platform"] as const)
    .map((kind) => ({
      group: t.form.kinds[kind],
      items: types.filter((type) => type.kind === kind).map(({ type }) => type),
    }))
    .filter(({ items }) => items.length > 0);
}
