import { useProvider } from "@api/providers";
import { isHttp } from "@api/providerWindow";
import { useCan, useSession } from "@api/session";
import { CopyableId, CopyButton } from "@components/CopyButton";
import { ErrorPanel } from "@components/ErrorPanel";
import { Facts, Panel } from "@components/Panel";
import { fieldErrorsOf } from "@components/problem";
import { SchemaError, SchemaFields } from "@components/SchemaFields";
import { PageSkeleton } from "@components/Skeletons";
import { changesOf, type FieldValue, type FieldValues, fieldsOf, type SchemaField } from "@components/schema";
import { TimeAgo } from "@components/TimeAgo";
import { Anchor, Button, Group, Stack, Text, Textarea } from "@mantine/core";
import type { Integration, Provider } from "@sdk/generated/models";
import { integrations as t } from "@strings/integrations";
import { providers as words } from "@strings/providers";
import { Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import classes from "./integrations.module.css";
import { isPlan, isServed, redirectUri } from "./kinds";
import { Publication } from "./Publication";
import { useUpdateIntegration } from "./queries";

/** If a form has more fields than this, it collapses the fields that are seldom needed. */
const FEW = 5;

/** Shows what the integration needs for its provider, its details, and its publication. */
export function Configuration({ integration }: { integration: Integration }) {
  const { workspaceId } = useSession();
  return (
    <div className={classes.panels}>
      <Panel title={t.setup.title}>
        {isPlan(integration) ? (
          <Text c="dimmed">{t.detail.plan}</Text>
        ) : isServed(integration, workspaceId) ? (
          <Text c="dimmed">{t.setup.copy}</Text>
        ) : (
          <Setup integration={integration} />
        )}
      </Panel>
      <div className={classes.column}>
        <Panel title={t.facts.title}>
          <Facts facts={facts(integration)} />
        </Panel>
        <Publication integration={integration} />
      </div>
    </div>
  );
}

function Setup({ integration }: { integration: Integration }) {
  const { provider, error, retry } = useProvider(integration);
  if (error) return <ErrorPanel error={error} onRetry={retry} />;
  if (!provider) return <PageSkeleton />;
  // The key resets the form to the new values after saving.
  return <SetupForm key={integration.version} integration={integration} provider={provider} />;
}

function SetupForm({ integration, provider }: { integration: Integration; provider: Provider }) {
  const mayWrite = useCan("integrations:write");
  const fields = fieldsOf(provider.configSchema);
  const isOAuth = provider.authType === "OAUTH2";
  const secrets = new Set(
    fields.filter(({ kind, name }) => kind === "secret" && name in integration.config).map(({ name }) => name),
  );
  const old: FieldValues = Object.fromEntries(
    Object.entries(integration.config).filter(([name]) => !secrets.has(name)),
  );
  const [values, setValues] = useState<FieldValues>(old);
  const [scopes, setScopes] = useState(integration.scopes.join("\n"));
  const update = useUpdateIntegration(integration, () => t.setup.saved);
  const config = changesOf(values, old);
  const wanted = scopes.split(/[\s,]+/).filter(Boolean);
  const hasScopes = wanted.join("\n") !== integration.scopes.join("\n");
  const isChanged = hasScopes || Object.keys(config).length > 0;

  function submit(event: FormEvent): void {
    event.preventDefault();
    update.mutate({ config, ...(hasScopes && { scopes: wanted }) });
  }

  if (fields.length === 0 && !isOAuth) return <Text c="dimmed">{t.setup.nothing}</Text>;
  const shared = {
    values,
    stored: secrets,
    errors: fieldErrorsOf(update.error, "config"),
    onChange: (name: string, value: FieldValue) => setValues((before) => ({ ...before, [name]: value })),
  };
  const isMain = ({ name, isRequired }: SchemaField) => isRequired || name in old || fields.length <= FEW;
  const main = fields.filter(isMain);
  const more = fields.filter((field) => !isMain(field));
  const defaults = provider.oauth?.scopes.map(({ name }) => name) ?? [];
  return (
    <form onSubmit={submit}>
      <fieldset disabled={!mayWrite} style={{ display: "contents" }}>
        <Stack gap="md">
          {isOAuth && <RedirectUri uri={redirectUri(integration)} />}
          <SchemaFields {...shared} fields={main} />
          {isOAuth && (
            <Textarea
              label={t.setup.scopes}
              description={[
                t.setup.scopesHelp,
                defaults.length > 0 ? t.setup.scopesDefault(defaults.join(", ")) : "",
              ].join(" ")}
              rows={3}
              spellCheck={false}
              value={scopes}
              onChange={(event) => setScopes(event.currentTarget.value)}
            />
          )}
          {more.length > 0 && (
            <details className={classes.more}>
              <summary>{t.setup.more}</summary>
              <Stack gap="md">
                <SchemaFields {...shared} fields={more} />
              </Stack>
            </details>
          )}
          <SchemaError error={update.error} object="config" fields={fields} />
          <Group justify="space-between">
            {provider.documentationUrl && isHttp(provider.documentationUrl) ? (
              <Anchor href={provider.documentationUrl} target="_blank" rel="noreferrer" size="sm">
                {t.setup.documentation}
              </Anchor>
            ) : (
              <span />
            )}
            {mayWrite ? (
              <Button type="submit" loading={update.isPending} disabled={!isChanged}>
                {t.setup.save}
              </Button>
            ) : (
              <Text size="sm" c="dimmed">
                {t.setup.readOnly}
              </Text>
            )}
          </Group>
        </Stack>
      </fieldset>
    </form>
  );
}

function RedirectUri({ uri }: { uri: string }) {
  return (
    <div>
      <Text size="sm" fw={500}>
        {t.setup.redirect}
      </Text>
      <Text size="xs" c="dimmed" mb={6}>
        {t.setup.redirectHelp}
      </Text>
      <div className={classes.copied}>
        <code>{uri}</code>
        <CopyButton value={uri} what={t.setup.redirect} />
      </div>
    </div>
  );
}

function facts(integration: Integration) {
  const names = t.facts;
  const limits = [
    integration.rateLimitPerHour && names.perHour(integration.rateLimitPerHour),
    integration.rateLimitPerDay && names.perDay(integration.rateLimitPerDay),
  ].filter(Boolean);
  return [
    [names.id, <CopyableId key="id" id={integration.id} what={names.id} />],
    [names.type, words.types[integration.type]],
    [names.provider, integration.provider ?? t.noProvider],
    ...(integration.description ? [[names.description, integration.description] as const] : []),
    [names.limits, limits.join(", ") || names.none],
    ...(integration.installedFrom
      ? [
          [
            names.installedFrom,
            <Link key="from" to="/marketplace" search={{ listing: integration.installedFrom }}>
              {integration.publisher?.name ?? names.marketplace}
            </Link>,
          ] as const,
        ]
      : []),
    [names.created, <TimeAgo key="created" at={integration.createdAt} />],
    [names.updated, <TimeAgo key="updated" at={integration.updatedAt} />],
    ...(integration.createdBy ? [[names.createdBy, integration.createdBy] as const] : []),
  ] as const;
}
