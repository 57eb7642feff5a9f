import { useCan } from "@api/session";
import { ErrorPanel, FormError } from "@components/ErrorPanel";
import { PageHeader } from "@components/PageHeader";
import { Panel } from "@components/Panel";
import { fieldErrors, fieldErrorsOf } from "@components/problem";
import { RequireScope } from "@components/RequireScope";
import { Button, Group, Select, Stack, Text, TextInput } from "@mantine/core";
import type { FlowTemplate, Webhook } from "@sdk/generated/models";
import { flows as t } from "@strings/flows";
import { skipToken, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import classes from "./flows.module.css";
import { allSteps } from "./model/definition";
import { type Chosen, draftFrom } from "./model/templates";
import { OneTemplate } from "./OneTemplate";
import { choices, useInstallFlow, webhooks } from "./queries";
import { ICONS, summaryOf, TRIGGER_ICON, titleOf, triggerSummary } from "./words";

const route = getRouteApi("/pages/flows/templates/$template");

/** Shows a template: what it does, what it needs from you, and the button that creates a flow from it. */
export function TemplatePage() {
  const { template: key } = route.useParams();
  return (
    <RequireScope scope="flows:write" page>
      <OneTemplate template={key}>{(template) => <Content key={key} template={template} />}</OneTemplate>
    </RequireScope>
  );
}

function Content({ template }: { template: FlowTemplate }) {
  const canCreate = useCan(...template.scopes);
  const push = usePushWebhooks(template);
  const { chosen: given = {} } = route.useSearch();
  const [made, setMade] = useState<Chosen>(given);
  const chosen = { ...preselected(template, push.data), ...made };
  return (
    <>
      <PageHeader
        title={template.name}
        text={template.description}
        parent={<Link to="/flows/new">{t.create.title}</Link>}
      />
      <div className={classes.install}>
        <Panel title={t.install.what}>
          <Plan template={template} chosen={chosen} webhooks={push.data ?? []} />
        </Panel>
        <Panel title={t.install.yours}>
          {push.error && <ErrorPanel error={push.error} onRetry={() => void push.refetch()} />}
          {canCreate ? (
            <Form
              template={template}
              chosen={chosen}
              webhooks={push.data}
              onChoose={(key, id) => setMade({ ...made, [key]: id })}
            />
          ) : (
            <Text c="dimmed">{t.install.cannot(template.scopes)}</Text>
          )}
        </Panel>
      </div>
    </>
  );
}

interface PlanProps {
  template: FlowTemplate;
  chosen: Chosen;
  webhooks: readonly Webhook[];
}

/** Shows what the flow does, from its trigger to its last step. */
function Plan({ template, chosen, webhooks: known }: PlanProps) {
  const { trigger, steps } = draftFrom(template, chosen);
  const names = { webhooks: known, actions: [] };
  return (
    <ol className={classes.plan}>
      <li>
        <TRIGGER_ICON size={18} stroke={1.7} aria-hidden />
        <div>
          <strong>{t.editor.trigger}</strong>
          <span>{triggerSummary(trigger)}</span>
        </div>
      </li>
      {allSteps(steps).map((step) => {
        const Icon = ICONS[step.type];
        return (
          <li key={step.id}>
            <Icon size={18} stroke={1.7} aria-hidden />
            <div>
              <strong>{titleOf(step)}</strong>
              <span>{summaryOf(step, names)}</span>
            </div>
          </li>
        );
      })}
    </ol>
  );
}

interface FormProps {
  template: FlowTemplate;
  chosen: Chosen;
  webhooks: readonly Webhook[] | undefined;
  onChoose: (key: string, id: string) => void;
}

function Form({ template, chosen, webhooks: known, onChoose }: FormProps) {
  const navigate = useNavigate();
  const [name, setName] = useState(template.name);
  const install = useInstallFlow(
    ({ id }) => void navigate({ to: "/flows/$flowId", params: { flowId: id }, replace: true }),
  );
  const wrong = fieldErrorsOf(install.error, "choices");

  function submit(event: FormEvent): void {
    event.preventDefault();
    install.mutate({ key: template.key, name: name.trim(), choices: withoutEmpty(chosen) });
  }

  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        {template.choices.map((choice) => {
          const field = {
            choice,
            value: chosen[choice.key] ?? "",
            error: wrong[choice.key],
            onChange: (id: string) => onChoose(choice.key, id),
          };
          return choice.type === "webhook" ? (
            <WebhookChoice key={choice.key} {...field} template={template.key} webhooks={known} />
          ) : (
            <ObjectChoice key={choice.key} {...field} />
          );
        })}
        <TextInput
          label={t.form.name}
          withAsterisk
          value={name}
          maxLength={100}
          error={fieldErrors(install.error).name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <FormError error={install.error} fields={["choices", "name"]} />
        <Group gap="xs">
          <Button type="submit" loading={install.isPending}>
            {t.install.submit}
          </Button>
          <Button
            variant="default"
            renderRoot={(props: object) => (
              <Link to="/flows/new" search={{ from: template.key, chosen: withoutEmpty(chosen) }} {...props} />
            )}
          >
            {t.install.customize}
          </Button>
        </Group>
        <Text size="xs" c="dimmed">
          {t.install.atOnce}
        </Text>
      </Stack>
    </form>
  );
}

interface ChoiceProps {
  choice: FlowTemplate["choices"][number];
  value: string;
  error: string | undefined;
  onChange: (id: string) => void;
}

function WebhookChoice({
  choice: { key, label, description },
  value,
  error,
  onChange,
  template,
  webhooks: known,
}: ChoiceProps & { template: string; webhooks: readonly Webhook[] | undefined }) {
  const canAdd = useCan("webhooks:write");
  return (
    <div>
      <Select
        label={label}
        description={description}
        placeholder={t.summaries.noWebhook}
        searchable
        withAsterisk
        data={(known ?? []).map(({ id, name, url }) => ({ value: id, label: `${name} · ${url ?? ""}` }))}
        value={value || null}
        error={error}
        onChange={(id) => onChange(id ?? "")}
      />
      {canAdd && (
        <Text size="xs" c="dimmed" mt={6}>
          {known?.length === 0 && `${t.form.noWebhooks} `}
          <Link to="/webhooks/new" search={{ template, choice: key }} className={classes.link}>
            {t.form.addWebhook}
          </Link>
        </Text>
      )}
    </div>
  );
}

/** Chooses an object of the platform: from a list, or by its ID if there is no list. */
function ObjectChoice({ choice: { label, description, resource }, value, error, onChange }: ChoiceProps) {
  const query = useQuery({ ...choices(resource ?? ""), retry: false });
  const known = query.data ?? [];
  if (!query.isPending && known.length === 0) {
    return (
      <TextInput
        label={label}
        description={`${description} ${t.install.writeId}`}
        withAsterisk
        value={value}
        error={error}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
    );
  }
  return (
    <Select
      label={label}
      description={description}
      placeholder={t.form.choose(label.toLowerCase())}
      searchable
      withAsterisk
      data={known.map(({ id, label: text }) => ({ value: id, label: text }))}
      value={value || null}
      error={error}
      onChange={(id) => onChange(id ?? "")}
    />
  );
}

function usePushWebhooks({ choices: needed }: FlowTemplate) {
  const canRead = useCan("webhooks:read");
  const isNeeded = canRead && needed.some(({ type }) => type === "webhook");
  return useQuery({
    ...webhooks,
    queryFn: isNeeded ? webhooks.queryFn : skipToken,
    select: (all) => all.filter(({ kind }) => kind === "push"),
  });
}

/** If exactly one webhook is active, it is preselected. */
function preselected({ choices: needed }: FlowTemplate, push: readonly Webhook[] = []): Chosen {
  const active = push.filter(({ status }) => status === "ACTIVE");
  const [only] = active.length === 1 ? active : [];
  if (only === undefined) return {};
  return Object.fromEntries(needed.filter(({ type }) => type === "webhook").map(({ key }) => [key, only.id]));
}

function withoutEmpty(chosen: Chosen): Chosen {
  return Object.fromEntries(Object.entries(chosen).filter(([, id]) => id.trim() !== ""));
}
