import { useCan, useSession } from "@api/session";
import { CopyableId } from "@components/CopyButton";
import { ErrorPanel, FormError } from "@components/ErrorPanel";
import { options } from "@components/options";
import { Facts, Panel } from "@components/Panel";
import { fieldErrors } from "@components/problem";
import { TimeAgo } from "@components/TimeAgo";
import { Button, Group, NativeSelect, Stack, TextInput } from "@mantine/core";
import type { RotationPolicy, Workspace } from "@sdk/generated/models";
import { common } from "@strings/common";
import { settings as t } from "@strings/settings";
import { type FormEvent, useState } from "react";
import { useUpdateWorkspace } from "./queries";
import classes from "./SettingsPage.module.css";

const DAY_S = 86_400;

/** The workspace's settings. Read-only for callers who cannot change them. */
export function General({ workspace }: { workspace: Workspace }) {
  // The API requires the scope for erasing, because a shorter retention deletes data earlier.
  const canChange = useCan("workspace:delete");
  const { role } = useSession();
  const policy = workspace.apiKeyRotation;
  const canSetPolicy = canChange && (role === "owner" || policy?.deliverTo == null);
  return (
    <div className={classes.stack}>
      <Panel title={t.workspace.title}>
        <Facts
          facts={[
            [t.workspace.id, <CopyableId key="id" id={workspace.id} what={t.workspace.id} />],
            [t.workspace.updated, <TimeAgo key="updated" at={workspace.updatedAt} />],
          ]}
        />
      </Panel>
      <Panel title={t.retention.title}>
        <p className={classes.text}>{t.retention.text}</p>
        {canChange ? (
          <Retention key={workspace.version} workspace={workspace} />
        ) : (
          t.retention.shown(workspace.retainDays)
        )}
      </Panel>
      <Panel title={t.rotation.title}>
        <p className={classes.text}>{t.rotation.text}</p>
        {canSetPolicy ? (
          <Rotation key={workspace.version} workspace={workspace} isOwner={role === "owner"} />
        ) : (
          <>
            <div>{words(policy)}</div>
            {canChange && <p className={classes.text}>{t.rotation.onlyOwner}</p>}
          </>
        )}
      </Panel>
    </div>
  );
}

function Retention({ workspace }: { workspace: Workspace }) {
  const [days, setDays] = useState(String(workspace.retainDays));
  const update = useUpdateWorkspace(workspace, t.retention.saved);
  const isSame = Number(days) === workspace.retainDays;
  function submit(event: FormEvent): void {
    event.preventDefault();
    update.mutate({ retainDays: Number(days) === workspace.maxRetainDays ? null : Number(days) });
  }
  return (
    <form onSubmit={submit}>
      <div className={classes.row}>
        <TextInput
          label={t.retention.days}
          description={t.retention.help(workspace.maxRetainDays)}
          type="number"
          required
          min={1}
          max={workspace.maxRetainDays}
          value={days}
          error={fieldErrors(update.error).retainDays}
          onChange={(event) => setDays(event.currentTarget.value)}
        />
        <Button type="submit" disabled={isSame} loading={update.isPending}>
          {common.actions.save}
        </Button>
      </div>
      <FormError error={update.error} fields={["retainDays"]} />
    </form>
  );
}

function Rotation({ workspace, isOwner }: { workspace: Workspace; isOwner: boolean }) {
  const policy = workspace.apiKeyRotation;
  const [kind, setKind] = useState(policy === null ? "never" : "days");
  const [everyDays, setEveryDays] = useState(String(policy?.everyDays ?? 90));
  const [overlapDays, setOverlapDays] = useState(String((policy?.overlapSeconds ?? DAY_S) / DAY_S));
  const [webhookId, setWebhookId] = useState(policy?.deliverTo?.webhookId ?? "");
  const [isDelivered, setDelivered] = useState(policy?.deliverTo != null);
  const update = useUpdateWorkspace(workspace, t.rotation.saved);
  const isSame =
    kind === "never"
      ? policy === null
      : policy !== null &&
        Number(everyDays) === policy.everyDays &&
        Math.round(Number(overlapDays) * DAY_S) === policy.overlapSeconds &&
        (isDelivered ? webhookId.trim() : undefined) === policy.deliverTo?.webhookId;
  function submit(event: FormEvent): void {
    event.preventDefault();
    const target = webhookId.trim();
    const pin = target === policy?.deliverTo?.webhookId ? policy.deliverTo.pin : null;
    update.mutate({
      apiKeyRotation:
        kind === "never"
          ? null
          : {
              everyDays: Number(everyDays),
              overlapSeconds: Math.round(Number(overlapDays) * DAY_S),
              deliverTo: isDelivered ? { type: "webhook", webhookId: target, ...(pin && { pin }) } : null,
            },
    });
  }
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <NativeSelect
          label={t.rotation.kind}
          value={kind}
          data={options(t.rotation.options)}
          onChange={(event) => setKind(event.currentTarget.value)}
        />
        {kind === "days" && (
          <>
            <div className={classes.pair}>
              <TextInput
                label={t.rotation.everyDays}
                type="number"
                required
                min={1}
                max={365}
                value={everyDays}
                onChange={(event) => setEveryDays(event.currentTarget.value)}
              />
              <TextInput
                label={t.rotation.overlapDays}
                type="number"
                required
                min={0}
                max={Math.min(30, Number(everyDays) || 30)}
                step="any"
                value={overlapDays}
                onChange={(event) => setOverlapDays(event.currentTarget.value)}
              />
            </div>
            {isOwner && (
              <NativeSelect
                label={t.rotation.deliver}
                description={isDelivered ? undefined : t.rotation.remind}
                value={isDelivered ? "webhook" : "remind"}
                data={options(t.rotation.deliverOptions)}
                onChange={(event) => setDelivered(event.currentTarget.value === "webhook")}
              />
            )}
            {isDelivered && (
              <TextInput
                label={t.rotation.webhook}
                description={t.rotation.webhookHelp}
                required
                autoComplete="off"
                value={webhookId}
                onChange={(event) => setWebhookId(event.currentTarget.value)}
              />
            )}
          </>
        )}
        {Boolean(update.error) && <ErrorPanel error={update.error} />}
        <Group justify="flex-end">
          <Button type="submit" disabled={isSame} loading={update.isPending}>
            {common.actions.save}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function words(policy: RotationPolicy | null): string {
  if (policy === null) return t.rotation.none;
  const hours = policy.overlapSeconds / 3600;
  const overlap = hours % 24 === 0 ? t.rotation.days(hours / 24) : t.rotation.hours(Math.round(hours));
  const target = policy.deliverTo === null ? t.rotation.remind : t.rotation.delivered(policy.deliverTo.webhookId);
  return [t.rotation.every(policy.everyDays), t.rotation.overlap(overlap), target].join(" ");
}
