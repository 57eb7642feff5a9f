import { ErrorPanel, FormError } from "@components/ErrorPanel";
import { options } from "@components/options";
import { fieldErrors } from "@components/problem";
import { Button, Checkbox, Group, Modal, MultiSelect, NativeSelect, Stack, Text, TextInput } from "@mantine/core";
import "@mantine/core/styles/Checkbox.css";
import "@mantine/core/styles/Pill.css";
import "@mantine/core/styles/PillsInput.css";
import { useDebouncedValue } from "@mantine/hooks";
import type { Replay, Webhook } from "@sdk/generated/models";
import { common } from "@strings/common";
import { sending } from "@strings/sending";
import { skipToken, useQuery } from "@tanstack/react-query";
import { type FormEvent, useMemo, useState } from "react";
import { Notice } from "./Notice";
import classes from "./parts.module.css";
import { eventTypes, replayCount, useReplay } from "./queries";

const t = sending.again;
const HOUR_MS = 3_600_000;
const RANGES = { hour: 1, day: 24, week: 7 * 24, month: 30 * 24 - 1 } as const;
/** The deliveries are counted after the choices have not changed for this time. */
const COUNT_AFTER_MS = 500;
type Status = keyof typeof t.statuses;

interface Props {
  webhook: Webhook;
  opened: boolean;
  /** The initial choices: what failed, or what the webhook missed while it was off. */
  preset: "failed" | "missed";
  onStarted: () => void;
  onClose: () => void;
}

/** Starts a replay, which sends the deliveries of a time range again. It counts them first. */
export function SendAgain({ opened, onClose, ...props }: Props) {
  return (
    <Modal opened={opened} onClose={onClose} size="lg" title={t.title}>
      <Form {...props} onCancel={onClose} />
    </Modal>
  );
}

function Form({ webhook, preset, onStarted, onCancel }: Omit<Props, "opened" | "onClose"> & { onCancel: () => void }) {
  const [now] = useState(Date.now);
  const [range, setRange] = useState<keyof typeof t.ranges>("day");
  const [since, setSince] = useState("");
  const [until, setUntil] = useState("");
  const [statuses, setStatuses] = useState<readonly Status[]>(["FAILED", "CANCELLED"]);
  const [missing, setMissing] = useState(preset === "missed");
  const [types, setTypes] = useState<string[]>([]);
  const catalogue = useQuery(eventTypes);
  const replay = useReplay(webhook.id, onStarted);
  const errors = fieldErrors(replay.error);
  const wrong = problems();

  function problems() {
    const isOwn = range === "own";
    return {
      since: isOwn && since === "" ? t.sinceMissing : undefined,
      until: isOwn && until !== "" && since !== "" && until <= since ? t.untilBefore : undefined,
      what: statuses.length === 0 && !missing ? t.nothing : undefined,
    };
  }

  const isWrong = Object.values(wrong).some((problem) => problem !== undefined);
  const body = useMemo((): Replay | null => {
    if (isWrong) return null;
    const isOwn = range === "own";
    return {
      since: isOwn ? new Date(since).toISOString() : new Date(now - RANGES[range] * HOUR_MS).toISOString(),
      // Otherwise, the replay would include deliveries that fail while the user looks at the count.
      until: isOwn && until !== "" ? new Date(until).toISOString() : new Date(now).toISOString(),
      ...(types.length > 0 && { eventTypes: types }),
      ...(statuses.length > 0 && { statuses: [...statuses] }),
      missing,
      dryRun: false,
    };
  }, [isWrong, range, since, until, now, types, statuses, missing]);
  const [counted] = useDebouncedValue(body, COUNT_AFTER_MS);
  const isActive = webhook.status === "ACTIVE" || webhook.status === "PAUSED";
  const counting = replayCount(webhook.id, counted ?? { since: "", missing: false, dryRun: true });
  const count = useQuery({ ...counting, queryFn: counted === null || !isActive ? skipToken : counting.queryFn });
  const isCounting = count.isFetching || body !== counted;
  const total = isCounting || body === null ? undefined : count.data?.total;

  function submit(event: FormEvent): void {
    event.preventDefault();
    if (body !== null) replay.mutate(body);
  }

  function toggle(status: Status, isChosen: boolean): void {
    setStatuses(isChosen ? [...statuses, status] : statuses.filter((other) => other !== status));
  }

  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Text c="dimmed">{t.text}</Text>
        {!isActive && <Notice tone="warning" title={t.inactive} />}
        {webhook.status === "PAUSED" && <Notice tone="info" title={t.paused} />}
        <NativeSelect
          label={t.range}
          data={options(t.ranges)}
          value={range}
          error={range === "own" ? undefined : errors.since}
          onChange={(event) => setRange(event.currentTarget.value as keyof typeof t.ranges)}
        />
        {range === "own" && (
          <div className={classes.range}>
            <TextInput
              label={t.since}
              type="datetime-local"
              required
              value={since}
              error={errors.since}
              onChange={(event) => setSince(event.currentTarget.value)}
            />
            <TextInput
              label={t.until}
              type="datetime-local"
              description={t.untilHelp}
              inputWrapperOrder={["label", "input", "description", "error"]}
              value={until}
              error={wrong.until ?? errors.until}
              onChange={(event) => setUntil(event.currentTarget.value)}
            />
          </div>
        )}
        <fieldset className={classes.choices}>
          <legend>{t.what}</legend>
          {(["FAILED", "CANCELLED", "DELIVERED"] as const).map((status) => (
            <Checkbox
              key={status}
              label={t.statuses[status]}
              description={status === "DELIVERED" ? t.deliveredHelp : undefined}
              checked={statuses.includes(status)}
              onChange={(event) => toggle(status, event.currentTarget.checked)}
            />
          ))}
          <Checkbox
            label={t.missing}
            description={t.missingHelp}
            checked={missing}
            onChange={(event) => setMissing(event.currentTarget.checked)}
          />
        </fieldset>
        <MultiSelect
          label={t.types}
          placeholder={types.length === 0 ? t.typesPlaceholder : undefined}
          data={typesOf(webhook, catalogue.data?.map(({ type }) => type) ?? [])}
          searchable
          hidePickedOptions
          maxDropdownHeight={200}
          value={types}
          onChange={setTypes}
        />
        {count.error !== null && <ErrorPanel error={count.error} onRetry={() => void count.refetch()} />}
        <FormError error={replay.error} fields={["since", "until"]} />
        <Group justify="space-between" gap="xs">
          <Text size="sm" role="status" c={wrong.what ? "danger" : "dimmed"}>
            {wrong.what ??
              (body === null || !isActive
                ? ""
                : total === undefined
                  ? isCounting
                    ? t.counting
                    : ""
                  : t.counted(total, count.data?.isComplete ?? false))}
          </Text>
          <Group gap="xs">
            <Button variant="default" onClick={onCancel}>
              {common.actions.cancel}
            </Button>
            <Button type="submit" disabled={body === null || !isActive || total === 0} loading={replay.isPending}>
              {t.submit(total, count.data?.isComplete ?? false)}
            </Button>
          </Group>
        </Group>
      </Stack>
    </form>
  );
}

/** The webhook's event types, or those of the catalogue if the webhook gets all types. */
function typesOf({ eventTypes: own }: Webhook, catalogue: readonly string[]): string[] {
  return own.includes("*") ? [...catalogue] : own;
}
