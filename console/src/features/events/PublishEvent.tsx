import { ErrorPanel } from "@components/ErrorPanel";
import { Button, Group, Modal, Select, Stack, Text, Textarea } from "@mantine/core";
import type { PublishEvent as Body, EventTypeInfo } from "@sdk/generated/models";
import { common } from "@strings/common";
import { events as t } from "@strings/events";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import classes from "./events.module.css";
import { eventTypes, usePublish } from "./queries";

/** The dialog that publishes an event. It starts with the sample of the type. */
export function PublishEvent({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} size="lg" title={t.publish.title}>
      <Form onClose={onClose} />
    </Modal>
  );
}

function Form({ onClose }: { onClose: () => void }) {
  const catalogue = useQuery(eventTypes);
  const [type, setType] = useState<EventTypeInfo | null>(null);
  const [text, setText] = useState("");
  const [isWrong, setWrong] = useState(false);
  const publish = usePublish();
  const navigate = useNavigate();
  const publishable = catalogue.data?.filter(({ kind }) => kind === "publishable") ?? [];

  function choose(name: string | null): void {
    const found = publishable.find((each) => each.type === name) ?? null;
    setType(found);
    setText(found === null ? "" : sampleText(found));
    setWrong(false);
    publish.reset();
  }

  function submit(event: FormEvent): void {
    event.preventDefault();
    const data = objectOf(text);
    setWrong(data === null);
    if (data === null || type === null) return;
    publish.mutate(
      { type: type.type, data },
      { onSuccess: ({ id }) => void navigate({ to: "/events/$eventId", params: { eventId: id } }) },
    );
  }

  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Text c="dimmed">{t.publish.text}</Text>
        {catalogue.error && <ErrorPanel error={catalogue.error} onRetry={() => void catalogue.refetch()} />}
        <Select
          label={t.publish.type}
          placeholder={t.publish.typePlaceholder}
          description={type?.description}
          data={publishable.map((each) => each.type)}
          value={type?.type ?? null}
          searchable
          required
          disabled={catalogue.isPending}
          maxDropdownHeight={260}
          data-autofocus
          onChange={choose}
        />
        {type !== null && (
          <Textarea
            label={t.publish.data}
            description={t.publish.dataHelp}
            value={text}
            rows={12}
            required
            spellCheck={false}
            classNames={{ input: classes.json }}
            error={isWrong && t.publish.notJson}
            onChange={(event) => setText(event.currentTarget.value)}
          />
        )}
        {Boolean(publish.error) && <ErrorPanel error={publish.error} />}
        <Group justify="flex-end" gap="xs">
          {type !== null && text !== sampleText(type) && (
            <Button variant="subtle" mr="auto" onClick={() => choose(type.type)}>
              {t.publish.reset}
            </Button>
          )}
          <Button variant="default" onClick={onClose}>
            {common.actions.cancel}
          </Button>
          <Button type="submit" loading={publish.isPending} disabled={type === null}>
            {t.publish.submit}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function sampleText({ sample }: EventTypeInfo): string {
  return JSON.stringify(sample, null, 2);
}

/** Parses a JSON object; null if the text is not one. */
function objectOf(text: string): Body["data"] | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Body["data"]) : null;
  } catch {
    return null;
  }
}
