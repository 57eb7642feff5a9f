import { useSession } from "@api/session";
import { FormError } from "@components/ErrorPanel";
import { FormActions } from "@components/FormActions";
import { options } from "@components/options";
import { fieldErrors } from "@components/problem";
import { Secret } from "@components/Secret";
import { Button, Group, Modal, MultiSelect, NativeSelect, Stack, Text, TextInput } from "@mantine/core";
import "@mantine/core/styles/Pill.css";
import "@mantine/core/styles/PillsInput.css";
import type { ConnectSessionLink, Integration } from "@sdk/generated/models";
import { connections as t } from "@strings/connections";
import { type FormEvent, useState } from "react";
import { useCreateLink } from "./connections";

interface Props {
  opened: boolean;
  /** The integrations that can be connected now. */
  choices: readonly Integration[];
  onClose: () => void;
}

const MAX_INTEGRATIONS = 20;
/** The fields that show their errors themselves. */
const FIELDS = ["integrations", "workspaceName", "requestedBy", "connectionId", "expiresIn", "returnUrl"];
const DEFAULT_SECONDS = "86400";

/** The dialog that creates a connect link, and then shows the link once. */
export function CreateLink({ opened, choices, onClose }: Props) {
  const [created, setCreated] = useState<ConnectSessionLink | null>(null);
  function close(): void {
    onClose();
    setCreated(null);
  }
  return (
    <Modal
      opened={opened}
      onClose={close}
      size="lg"
      title={created === null ? t.links.form.title : t.links.form.created}
      // A click outside would lose the link.
      closeOnClickOutside={created === null}
    >
      {created === null ? (
        <Form choices={choices} onCreated={setCreated} onCancel={close} />
      ) : (
        <Created link={created.link} onDone={close} />
      )}
    </Modal>
  );
}

interface FormProps {
  choices: readonly Integration[];
  onCreated: (link: ConnectSessionLink) => void;
  onCancel: () => void;
}

function Form({ choices, onCreated, onCancel }: FormProps) {
  const { workspaceId } = useSession();
  const [integrations, setIntegrations] = useState(choices.length === 1 ? choices.map(({ id }) => id) : []);
  const [workspaceName, setWorkspaceName] = useState(workspaceId);
  const [requestedBy, setRequestedBy] = useState("");
  const [connectionId, setConnectionId] = useState("");
  const [expiresIn, setExpiresIn] = useState(DEFAULT_SECONDS);
  const [returnUrl, setReturnUrl] = useState("");
  const [isMissing, setMissing] = useState(false);
  const create = useCreateLink(onCreated);
  const errors = fieldErrors(create.error);
  const texts = t.links.form;

  function submit(event: FormEvent): void {
    event.preventDefault();
    setMissing(integrations.length === 0);
    if (integrations.length === 0) return;
    create.mutate({
      integrations,
      expiresIn: Number(expiresIn),
      ...(workspaceName.trim() && { workspaceName: workspaceName.trim() }),
      ...(requestedBy.trim() && { requestedBy: requestedBy.trim() }),
      ...(connectionId.trim() && { connectionId: connectionId.trim() }),
      ...(returnUrl.trim() && { returnUrl: returnUrl.trim() }),
    });
  }

  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <MultiSelect
          label={texts.integrations}
          description={texts.integrationsHelp}
          data={choices.map(({ id, name }) => ({ value: id, label: name }))}
          searchable
          hidePickedOptions
          withAsterisk
          maxValues={MAX_INTEGRATIONS}
          maxDropdownHeight={240}
          value={integrations}
          error={isMissing ? texts.integrationsMissing : errors.integrations}
          onChange={setIntegrations}
        />
        <TextInput
          label={texts.workspaceName}
          description={texts.workspaceNameHelp}
          maxLength={100}
          value={workspaceName}
          error={errors.workspaceName}
          onChange={(event) => setWorkspaceName(event.currentTarget.value)}
        />
        <TextInput
          label={texts.requestedBy}
          description={texts.requestedByHelp}
          maxLength={100}
          value={requestedBy}
          error={errors.requestedBy}
          onChange={(event) => setRequestedBy(event.currentTarget.value)}
        />
        <TextInput
          label={texts.name}
          description={texts.nameHelp}
          maxLength={64}
          autoComplete="off"
          spellCheck={false}
          value={connectionId}
          error={errors.connectionId}
          onChange={(event) => setConnectionId(event.currentTarget.value)}
        />
        <NativeSelect
          label={texts.expires}
          value={expiresIn}
          data={options(t.links.lifetimes)}
          error={errors.expiresIn}
          onChange={(event) => setExpiresIn(event.currentTarget.value)}
        />
        <TextInput
          label={texts.returnUrl}
          description={texts.returnUrlHelp}
          type="url"
          maxLength={2048}
          autoComplete="off"
          value={returnUrl}
          error={errors.returnUrl}
          onChange={(event) => setReturnUrl(event.currentTarget.value)}
        />
        <FormError error={create.error} fields={FIELDS} />
        <FormActions submit={texts.submit} isRunning={create.isPending} onCancel={onCancel} />
      </Stack>
    </form>
  );
}

function Created({ link, onDone }: { link: string; onDone: () => void }) {
  return (
    <Stack gap="md">
      <Text c="dimmed">{t.links.form.createdText}</Text>
      <Secret label={t.links.form.link} value={link} />
      <Group justify="flex-end">
        <Button onClick={onDone}>{t.links.form.done}</Button>
      </Group>
    </Stack>
  );
}
