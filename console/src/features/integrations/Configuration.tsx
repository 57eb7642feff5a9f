import { useProvider } from "@api/providers";
import { isHttp } from "@api/providerWindow";
import { useCan } from "@api/session";
import { CopyButton } from "@components/CopyButton";
import { ErrorPanel } from "@components/ErrorPanel";
import { Facts, Panel } from "@components/Panel";
import { fieldErrorsOf } from "@components/problem";
import { SchemaError, SchemaFields } from "@components/SchemaFields";
import { PageSkeleton } from "@components/Skeletons";
import { changesOf, type FieldValues, fieldsOf } from "@components/schema";
import { TimeAgo } from "@components/TimeAgo";
import { Anchor, Button, Group, Stack, Text, Textarea } from "@mantine/core";
import type { Integration, Provider } from "@sdk/generated/models";
import { integrations as t } from "@strings/integrations";
import { providers as words } from "@strings/providers";
import { Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import classes from "./integrations.module.css";
import { isPlan, redirectUri } from "./kinds";
import { Publication } from "./Publication";
import { useUpdateIntegration } from "./queries";

/** What the integration needs for its provider, its details, and its publication. */
export function Configuration({ integration }: { integration: Integration }) {
  return (
    <div className={classes.panels}>
      <Panel title={t.setup.title}>
        {isPlan(integration) ? (
          <Text c="dimmed">{t.detail.plan}</Text>
        ) : integration.installedFrom !== null && integration.publisher !== null && isServed(integration) ? (
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

/** Whether a copy is served by its publisher's client: then it has none of its own. */
function isServed({ config, status }: Integration): boolean {
  return config.clientId === undefined && status !== "PENDING_SETUP";
}

function Setup({ integration }: { integration: Integration }) {
  const { provider, error, retry } = useProvider(integration);
  if (error) return <ErrorPanel error={error} onRetry={retry} />;
  if (!provider) return <PageSkeleton />;
  // What was saved has new values to start with.
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
  const defaults = provider.oauth?.scopes.map(({ name }) => name) ?? [];
  return (
    <form onSubmit={submit}>
      <fieldset disabled={!mayWrite} style={{ display: "contents" }}>
        <Stack gap="md">
          {isOAuth && <RedirectUri uri={redirectUri(integration)} />}
          <SchemaFields
            fields={fields}
            values={values}
            stored={secrets}
            errors={fieldErrorsOf(update.error, "config")}
            onChange={(name, value) => setValues((before) => ({ ...before, [name]: value }))}
          />
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
    [
      names.id,
      <Group key="id" gap={4}>
        <code className={classes.mono}>{integration.id}</code>
        <CopyButton value={integration.id} what={names.id} />
      </Group>,
    ],
    [names.type, words.types[integration.type]],
    [names.provider, integration.provider ?? t.noProvider],
    ...(integration.description ? [[names.description, integration.description] as const] : []),
    [names.limits, limits.join(", ") || names.none],
    ...(integration.installedFrom
      ? [
          [
            names.installedFrom,
            <Link key="from" to="/marketplace" search={{ listing: integration.installedFrom }}>
              {integration.publisher?.name ?? integration.installedFrom}
            </Link>,
          ] as const,
        ]
      : []),
    [names.created, <TimeAgo key="created" at={integration.createdAt} />],
    [names.updated, <TimeAgo key="updated" at={integration.updatedAt} />],
    ...(integration.createdBy ? [[names.createdBy, integration.createdBy] as const] : []),
  ] as const;
}
