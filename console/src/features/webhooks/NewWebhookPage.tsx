import { FormError } from "@components/ErrorPanel";
import { PageHeader } from "@components/PageHeader";
import { Panel } from "@components/Panel";
import { RequireScope } from "@components/RequireScope";
import { Secret } from "@components/Secret";
import { Button, Group, Stack, Text } from "@mantine/core";
import type { WebhookWithSecret } from "@sdk/generated/models";
import { common } from "@strings/common";
import { webhookForm as t } from "@strings/webhook-form";
import { webhooks } from "@strings/webhooks";
import { getRouteApi, Link, useBlocker, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { createBody, EMPTY } from "./draft";
import classes from "./form.module.css";
import { LeaveForm } from "./LeaveForm";
import { useCreateWebhook } from "./queries";
import { FIELDS, isComplete, WebhookForm } from "./WebhookForm";

const route = getRouteApi("/pages/webhooks/new");

/** Creates a webhook, and then shows its secret once. */
export function NewWebhookPage() {
  const [created, setCreated] = useState<WebhookWithSecret | null>(null);
  return (
    <RequireScope scope="webhooks:write" page>
      {created === null ? <Form onCreated={setCreated} /> : <Created webhook={created} />}
    </RequireScope>
  );
}

function Form({ onCreated }: { onCreated: (webhook: WebhookWithSecret) => void }) {
  const navigate = useNavigate();
  const { template } = route.useSearch();
  const [draft, setDraft] = useState(EMPTY);
  const [isSubmitted, setSubmitted] = useState(false);
  const create = useCreateWebhook();
  const blocker = useBlocker({ shouldBlockFn: () => draft !== EMPTY, withResolver: true, enableBeforeUnload: false });

  function submit(event: FormEvent): void {
    event.preventDefault();
    setSubmitted(true);
    if (isComplete(draft)) create.mutate(createBody(draft), { onSuccess: onCreated });
  }

  return (
    <form onSubmit={submit}>
      <PageHeader title={t.title} text={t.text} parent={<Link to="/webhooks">{webhooks.detail.parent}</Link>} />
      <WebhookForm isNew draft={draft} error={create.error} isSubmitted={isSubmitted} onChange={setDraft} />
      <div className={classes.actions}>
        <FormError error={create.error} fields={FIELDS} />
        <Button
          variant="default"
          onClick={() =>
            void navigate(template ? { to: "/flows/templates/$template", params: { template } } : { to: "/webhooks" })
          }
        >
          {common.actions.cancel}
        </Button>
        <Button type="submit" loading={create.isPending}>
          {t.submit}
        </Button>
      </div>
      <LeaveForm blocker={blocker} />
    </form>
  );
}

function Created({ webhook }: { webhook: WebhookWithSecret }) {
  const navigate = useNavigate();
  const { template, choice } = route.useSearch();
  const isForFlow = template !== undefined && choice !== undefined && webhook.kind === "push";
  const heading = useRef<HTMLDivElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <div ref={heading} tabIndex={-1} className={classes.created}>
      <PageHeader title={t.created.title(webhook.name)} parent={<Link to="/webhooks">{webhooks.detail.parent}</Link>} />
      <Panel title={t.created.secret}>
        <Stack gap="md" align="flex-start">
          <Text c="dimmed">{webhook.kind === "pull" ? t.created.textPull : t.created.text}</Text>
          <Secret label={t.created.secret} value={webhook.secret} />
          <Group gap="xs">
            {isForFlow && (
              <Button
                onClick={() =>
                  void navigate({
                    to: "/flows/templates/$template",
                    params: { template },
                    search: { chosen: { [choice]: webhook.id } },
                  })
                }
              >
                {t.created.useInFlow}
              </Button>
            )}
            <Button
              variant={isForFlow ? "default" : "filled"}
              onClick={() => void navigate({ to: "/webhooks/$webhookId", params: { webhookId: webhook.id } })}
            >
              {t.created.open}
            </Button>
          </Group>
        </Stack>
      </Panel>
    </div>
  );
}
