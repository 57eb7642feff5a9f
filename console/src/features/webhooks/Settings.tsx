import { useCan } from "@api/session";
import { CopyableId } from "@components/CopyButton";
import { FormError } from "@components/ErrorPanel";
import { Facts, Panel } from "@components/Panel";
import { TimeAgo } from "@components/TimeAgo";
import { Button, Group } from "@mantine/core";
import type { WebhookDetail } from "@sdk/generated/models";
import { webhookForm as t } from "@strings/webhook-form";
import { webhooks } from "@strings/webhooks";
import { useBlocker } from "@tanstack/react-router";
import { type FormEvent, type ReactNode, useState } from "react";
import { changedFields, changesOf, draftOf, isOtherOrigin } from "./draft";
import classes from "./form.module.css";
import { LeaveForm } from "./LeaveForm";
import { isConflict, useUpdateWebhook } from "./queries";
import { FIELDS, isComplete, WebhookForm } from "./WebhookForm";

/** The settings of a webhook, as a form for users who may change them. */
export function Settings({ webhook }: { webhook: WebhookDetail }) {
  const isReadOnly = !useCan("webhooks:write");
  const [base, setBase] = useState(webhook);
  const [draft, setDraft] = useState(() => draftOf(webhook));
  const [isSubmitted, setSubmitted] = useState(false);
  const update = useUpdateWebhook(webhook.id);
  const changes = changesOf(draft, base);
  const isDirty = Object.keys(changes).length > 0;
  const mustRetype = isOtherOrigin(draft.url, base);
  const isNewer = webhook.version > base.version;
  const theirs = isNewer ? changedFields(base, webhook) : [];
  const blocker = useBlocker({
    shouldBlockFn: ({ current, next }) =>
      isDirty && (current.pathname !== next.pathname || (next.search as { tab?: string }).tab !== "settings"),
    withResolver: true,
    enableBeforeUnload: false,
  });

  function restart(from: WebhookDetail): void {
    setBase(from);
    setDraft(draftOf(from));
    setSubmitted(false);
    update.reset();
  }

  // Someone else changed the webhook while this form has no changes, or changed only what the form does not show.
  if (isNewer && !isDirty) restart(webhook);
  else if (isNewer && theirs.length === 0) setBase(webhook);

  function save(version: number): void {
    setSubmitted(true);
    if (!isComplete(draft, mustRetype)) return;
    update.mutate(
      { changes, version },
      {
        onSuccess: (saved) => restart({ ...webhook, ...saved }),
      },
    );
  }

  function submit(event: FormEvent): void {
    event.preventDefault();
    if (theirs.length === 0) save(base.version);
  }

  return (
    <form onSubmit={submit}>
      <Panel title={webhooks.detail.about}>
        <Facts facts={facts(webhook)} />
      </Panel>
      <div className={classes.form}>
        {isReadOnly && <p className={classes.note}>{t.readOnly}</p>}
        <WebhookForm
          draft={draft}
          isNew={false}
          isReadOnly={isReadOnly}
          mustRetype={mustRetype}
          error={update.error}
          isSubmitted={isSubmitted}
          onChange={setDraft}
        />
      </div>
      {!isReadOnly && (
        <div className={classes.actions}>
          {theirs.length > 0 ? (
            <Conflict
              theirs={theirs}
              mine={Object.keys(changes)}
              isSaving={update.isPending}
              onSave={() => save(webhook.version)}
              onDiscard={() => restart(webhook)}
            />
          ) : (
            <>
              {!isConflict(update.error) && <FormError error={update.error} fields={FIELDS} />}
              {isDirty ? (
                <Button variant="default" onClick={() => restart(webhook)}>
                  {t.discard}
                </Button>
              ) : (
                <span className={classes.note}>{t.unchanged}</span>
              )}
              <Button type="submit" disabled={!isDirty} loading={update.isPending}>
                {t.save}
              </Button>
            </>
          )}
        </div>
      )}
      <LeaveForm blocker={blocker} />
    </form>
  );
}

interface ConflictProps {
  theirs: readonly string[];
  mine: readonly string[];
  isSaving: boolean;
  onSave: () => void;
  onDiscard: () => void;
}

/** Someone else changed the webhook: shows both sides' changes, and what saving would do. */
function Conflict({ theirs, mine, isSaving, onSave, onDiscard }: ConflictProps) {
  const both = theirs.filter((name) => mine.includes(name));
  return (
    <div className={classes.conflict} role="alert">
      <p className={classes.title}>{t.conflict.title}</p>
      <p>{both.length > 0 ? t.conflict.both(words(both)) : t.conflict.other(words(theirs))}</p>
      <Group gap="xs">
        <Button variant="default" size="xs" onClick={onDiscard}>
          {t.conflict.discard}
        </Button>
        <Button size="xs" loading={isSaving} onClick={onSave}>
          {t.conflict.save}
        </Button>
      </Group>
    </div>
  );
}

function words(fields: readonly string[]): string {
  return fields.map((name) => t.fields[name] ?? name).join(", ");
}

function facts(webhook: WebhookDetail): (readonly [string, ReactNode])[] {
  const names = webhooks.detail.facts;
  return [
    [names.id, <CopyableId key="id" id={webhook.id} what={names.id} />],
    [names.kind, webhooks.detail.kinds[webhook.kind]],
    ...(webhook.integrationId
      ? [[names.integration, <code key="integration">{webhook.integrationId}</code>] as const]
      : []),
    [names.created, <TimeAgo key="created" at={webhook.createdAt} />],
    [names.createdBy, webhook.createdBy],
    [names.updated, <TimeAgo key="updated" at={webhook.updatedAt} />],
  ];
}
