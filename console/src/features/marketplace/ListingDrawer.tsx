import { providerDetail } from "@api/providers";
import { isHttp } from "@api/providerWindow";
import { useCan } from "@api/session";
import { ErrorPanel } from "@components/ErrorPanel";
import { Monogram } from "@components/Monogram";
import { Facts } from "@components/Panel";
import { Section } from "@components/Section";
import { PageSkeleton } from "@components/Skeletons";
import { fieldsOf, type SchemaField } from "@components/schema";
import { Anchor, Button, Drawer, Text } from "@mantine/core";
import type { Integration, Provider } from "@sdk/generated/models";
import { marketplace as t } from "@strings/marketplace";
import { providers as words } from "@strings/providers";
import { IconArrowsSplit2, IconDownload } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { type Kind, kindOf, type Plan, planOf } from "./kinds";
import classes from "./marketplace.module.css";
import { Publisher } from "./Publisher";
import { listingDetail, useInstall } from "./queries";

interface Props {
  id: string | null;
  /** The listing, if the list has loaded it. */
  known: Integration | undefined;
  templates: ReadonlySet<string>;
  onClose: () => void;
}

/** Shows a listing: what it is, what it requires, and the button that installs it. */
export function ListingDrawer({ id, known, templates, onClose }: Props) {
  const query = useQuery({ ...listingDetail(id ?? ""), enabled: id !== null && known === undefined });
  const item = known ?? query.data;
  return (
    <Drawer opened={id !== null} onClose={onClose} size={560} title={item?.name ?? t.listing.title}>
      {query.error ? (
        <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />
      ) : item ? (
        <Content key={item.id} item={item} kind={kindOf(item, templates.has(item.id))} />
      ) : (
        <PageSkeleton />
      )}
    </Drawer>
  );
}

function Content({ item, kind }: { item: Integration; kind: Kind }) {
  const plan = planOf(item);
  return (
    <>
      <div className={classes.about}>
        <Monogram name={item.name} size="lg" />
        <div style={{ minWidth: 0 }}>
          <Text fw={600}>{t.kinds[kind]}</Text>
          <Publisher item={item} />
        </div>
      </div>
      <Text style={{ overflowWrap: "anywhere" }}>{item.description}</Text>
      {plan?.flow && <AsFlow template={plan.flow} />}
      <Install item={item} isSecond={Boolean(plan?.flow)} />
      <Section title={t.listing.about}>
        <Text c="dimmed">{t.kindTexts[kind]}</Text>
      </Section>
      {plan ? (
        <PlanSteps plan={plan} />
      ) : item.provider === null ? null : (
        <ProviderNeeds item={item} providerKey={item.provider} kind={kind} />
      )}
    </>
  );
}

/** Offers the equivalent flow, which needs no other platform. */
function AsFlow({ template }: { template: string }) {
  const mayCreate = useCan("flows:write");
  if (!mayCreate) return null;
  return (
    <Section title={t.flow.title}>
      <Text c="dimmed">{t.flow.text}</Text>
      <Button
        leftSection={<IconArrowsSplit2 size={16} aria-hidden />}
        renderRoot={(props: object) => <Link to="/flows/templates/$template" params={{ template }} {...props} />}
      >
        {t.flow.create}
      </Button>
    </Section>
  );
}

function Install({ item, isSecond }: { item: Integration; isSecond: boolean }) {
  const navigate = useNavigate();
  const mayInstall = useCan("integrations:write");
  const install = useInstall(
    ({ id }) => void navigate({ to: "/integrations/$integrationId", params: { integrationId: id } }),
  );
  if (!mayInstall) {
    return (
      <Text c="dimmed" mt="md">
        {t.listing.cannotInstall}
      </Text>
    );
  }
  return (
    <>
      <Button
        mt="md"
        variant={isSecond ? "default" : "filled"}
        loading={install.isPending}
        leftSection={<IconDownload size={16} aria-hidden />}
        onClick={() => install.mutate(item.id)}
      >
        {isSecond ? t.flow.installPlan : t.listing.install}
      </Button>
      {Boolean(install.error) && (
        <Section>
          <ErrorPanel error={install.error} />
        </Section>
      )}
    </>
  );
}

function ProviderNeeds({ item, providerKey, kind }: { item: Integration; providerKey: string; kind: Kind }) {
  const query = useQuery(providerDetail(providerKey));
  if (query.error) {
    return (
      <Section>
        <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />
      </Section>
    );
  }
  if (!query.data) {
    return (
      <Section>
        <PageSkeleton />
      </Section>
    );
  }
  const provider = query.data;
  const config = kind === "template" ? fieldsOf(provider.configSchema) : [];
  const account = fieldsOf(provider.credentialsSchema);
  return (
    <>
      <Section title={t.listing.needs}>
        {config.length === 0 ? <Text c="dimmed">{t.listing.needsNothing}</Text> : <Needs fields={config} />}
      </Section>
      <Section title={t.listing.perAccount}>
        {account.length === 0 ? <Text c="dimmed">{t.listing.perAccountOAuth}</Text> : <Needs fields={account} />}
      </Section>
      {provider.oauth && (
        <Section title={t.listing.scopes}>
          <Scopes item={item} provider={provider} />
        </Section>
      )}
      <Section>
        <Facts facts={facts(item, provider)} />
      </Section>
    </>
  );
}

function Needs({ fields }: { fields: readonly SchemaField[] }) {
  return (
    <ul className={classes.needs}>
      {fields.map(({ name, title, description, isRequired }) => (
        <li key={name}>
          <strong>{title}</strong>
          {!isRequired && <span className={classes.optional}>{t.listing.optional}</span>}
          <p>{description}</p>
        </li>
      ))}
    </ul>
  );
}

/** The scopes that an installed copy requests, described in Patchbay's words if it has them. */
function Scopes({ item, provider }: { item: Integration; provider: Provider }) {
  const known = provider.oauth?.scopes ?? [];
  const names = item.scopes.length > 0 ? item.scopes : known.map(({ name }) => name);
  if (names.length === 0) return <Text c="dimmed">{t.listing.defaultScopes}</Text>;
  return (
    <ul className={classes.needs}>
      {names.map((name) => {
        const description = known.find((scope) => scope.name === name)?.description;
        return (
          <li key={name}>
            {description && <div>{description}</div>}
            <span className={classes.mono}>{name}</span>
          </li>
        );
      })}
    </ul>
  );
}

function facts(item: Integration, provider: Provider) {
  const limits = [
    item.rateLimitPerHour && t.listing.perHour(item.rateLimitPerHour),
    item.rateLimitPerDay && t.listing.perDay(item.rateLimitPerDay),
  ].filter(Boolean);
  const { documentationUrl: url } = provider;
  return [
    [t.type, words.types[item.type]] as const,
    [t.listing.limits, limits.join(", ") || t.listing.unlimited] as const,
    ...(provider.hosts.length > 0 ? [[t.listing.hosts, provider.hosts.join(", ")] as const] : []),
    ...(url && isHttp(url)
      ? [
          [
            t.listing.documentation,
            <Anchor key="docs" href={url} target="_blank" rel="noreferrer">
              {new URL(url).host}
            </Anchor>,
          ] as const,
        ]
      : []),
  ];
}

function PlanSteps({ plan }: { plan: Plan }) {
  return (
    <Section title={t.kinds.automation}>
      <ol className={classes.plan}>
        <li>
          <span>{t.listing.when}</span>
          {plan.event === null ? t.listing.schedule : t.listing.event(plan.event)}
        </li>
        {plan.filters.length > 0 && (
          <li>
            <span>{t.listing.filters}</span>
            <span className={classes.mono}>{JSON.stringify(plan.filters)}</span>
          </li>
        )}
        {plan.steps.map(({ app, action }, at) => (
          <li key={at}>
            <span>{t.listing.step}</span>
            {t.listing.action(app, action)}
          </li>
        ))}
      </ol>
    </Section>
  );
}
