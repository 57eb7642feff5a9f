import { useCan } from "@api/session";
import { CodeBlock } from "@components/CodeBlock";
import { CopyableId } from "@components/CopyButton";
import { Loaded } from "@components/Loaded";
import { PageHeader } from "@components/PageHeader";
import { Facts, Panel } from "@components/Panel";
import { RequireScope } from "@components/RequireScope";
import { StatusBadge } from "@components/StatusBadge";
import { deliveryStatus } from "@components/statuses";
import { exactTime, TimeAgo } from "@components/TimeAgo";
import { Group, Skeleton, Stack, Text } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import type { FlowRunDetail, StepRun } from "@sdk/generated/models";
import { flows as t } from "@strings/flows";
import { statuses } from "@strings/statuses";
import { skipToken, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import classes from "./flows.module.css";
import { allSteps, type Draft, findStep, type Step } from "./model/definition";
import { Outline } from "./Outline";
import { runDetail, stepDelivery, useNames } from "./queries";
import { took } from "./Runs";
import { type FlowView, FlowViewContext } from "./view";
import { runStatus, titleOf } from "./words";

const Canvas = lazy(async () => ({ default: (await import("./Canvas")).Canvas }));
const route = getRouteApi("/pages/flows/$flowId/runs/$runId");

export function RunPage() {
  return (
    <RequireScope scope="flows:read" page>
      <Page />
    </RequireScope>
  );
}

function Page() {
  const { flowId, runId } = route.useParams();
  const query = useQuery(runDetail(flowId, runId));
  return <Loaded query={query}>{(run) => <Run run={run} />}</Loaded>;
}

/** Shows a run on the graph of the definition that it started with, and the input and output of the selected step. */
function Run({ run }: { run: FlowRunDetail }) {
  const { step: chosen = run.step ?? run.steps.at(-1)?.id ?? "" } = route.useSearch();
  const navigate = route.useNavigate();
  const isNarrow = useMediaQuery("(max-width: 960px)", matchMedia("(max-width: 960px)").matches) ?? false;
  const names = useNames(run.definition.steps);
  const draft: Draft = { name: "", description: "", ...run.definition };
  const step = findStep(draft.steps, chosen);
  const view: FlowView = {
    draft,
    selection: step ? { step: step.id } : null,
    select: (selection) =>
      typeof selection === "object" && void navigate({ search: { step: selection.step }, replace: true }),
    openForm: () => {},
    edit: null,
    names,
    problems: [],
    statuses: statusesOf(run, draft),
  };
  return (
    <FlowViewContext value={view}>
      <PageHeader
        title={t.run.title(run.eventType)}
        text={run.statusReason && reasonOf(run.statusReason)}
        status={<StatusBadge {...runStatus(run.status)} />}
        parent={
          <Link to="/flows/$flowId" params={{ flowId: run.flowId }} search={{ tab: "runs" }}>
            {t.detail.tabs.runs}
          </Link>
        }
      />
      <div className={classes.editor}>
        <div className={classes.main}>
          {isNarrow ? (
            <Outline />
          ) : (
            <Suspense fallback={<Skeleton className={classes.canvas} />}>
              <Canvas />
            </Suspense>
          )}
        </div>
        <section className={classes.panel} aria-label={step ? titleOf(step) : t.run.steps} aria-live="polite">
          {step ? (
            <Details
              step={step}
              run={run.steps.find(({ id }) => id === step.id)}
              reason={run.step === step.id ? run.statusReason : null}
            />
          ) : (
            <Text c="dimmed">{t.run.choose}</Text>
          )}
        </section>
      </div>
      <Panel title={t.run.facts.id}>
        <Facts facts={facts(run)} />
      </Panel>
    </FlowViewContext>
  );
}

function Details({ step, run, reason }: { step: Step; run: StepRun | undefined; reason: string | null }) {
  if (run === undefined) {
    return (
      <Stack gap="sm">
        <h2 className={classes.formTitle}>{titleOf(step)}</h2>
        <Text c="dimmed">{t.run.missing}</Text>
      </Stack>
    );
  }
  const { status, input, output, error, startedAt, endedAt } = run;
  return (
    <Stack gap="sm">
      <Group justify="space-between" gap="xs">
        <h2 className={classes.formTitle}>{titleOf(step)}</h2>
        <StatusBadge {...runStatus(status)} />
      </Group>
      <Text size="xs" c="dimmed">
        {t.run.began(exactTime(startedAt))}
        {endedAt && ` · ${t.run.took} ${took(startedAt, endedAt)}`}
      </Text>
      {error && (
        <div className={classes.failure}>
          <strong>{statuses.reason(error.code)}</strong>
          <span>{error.detail}</span>
        </div>
      )}
      {!error && reason && <Text size="sm">{reasonOf(reason)}</Text>}
      {input ? (
        <Part name={t.run.input} value={input} />
      ) : (
        step.type === "webhook" && (
          <Text size="sm" c="dimmed">
            {t.run.eventData}
          </Text>
        )
      )}
      {output && <Part name={t.run.output} value={output} />}
      {step.type === "webhook" && typeof output?.deliveryId === "string" && (
        <StepDelivery webhookId={step.webhookId} id={output.deliveryId} />
      )}
    </Stack>
  );
}

/** Shows the delivery of a webhook step: its status, its attempts and the latest response. */
function StepDelivery({ webhookId, id }: { webhookId: string; id: string }) {
  const canRead = useCan("webhooks:read");
  const options = stepDelivery(webhookId, id);
  const { data } = useQuery({ ...options, queryFn: canRead ? options.queryFn : skipToken });
  const response = data?.attempts.at(-1)?.statusCode ?? null;
  return (
    <section className={classes.delivery} aria-label={t.run.deliveryTitle}>
      <Group justify="space-between" gap="xs">
        <p className={classes.label}>{t.run.deliveryTitle}</p>
        {data && <StatusBadge {...deliveryStatus(data.status)} />}
      </Group>
      {data && (
        <span>
          {data.attempts.length === 0 ? t.run.noAttempts : t.run.attempts(data.attempts.length)}
          {response !== null && ` · ${t.run.lastResponse(response)}`}
        </span>
      )}
      <Text size="xs" c="dimmed">
        {t.run.deliveryText}
      </Text>
      <Link to="/webhooks/$webhookId" params={{ webhookId }} search={{ delivery: id }} className={classes.link}>
        {t.run.delivery}
      </Link>
    </section>
  );
}

/** The status of each step. In a run that has ended, steps without a status were skipped. */
function statusesOf(run: FlowRunDetail, { steps }: Draft): FlowView["statuses"] {
  const skipped = run.endedAt === null ? [] : allSteps(steps).map(({ id }) => [id, "SKIPPED"] as const);
  return Object.fromEntries([...skipped, ...run.steps.map(({ id, status }) => [id, status] as const)]);
}

/** Describes a reason, which is either a code or already a sentence. */
function reasonOf(reason: string): string {
  return /^[a-z0-9_:]+$/.test(reason) ? statuses.reason(reason) : reason.charAt(0).toUpperCase() + reason.slice(1);
}

function Part({ name, value }: { name: string; value: unknown }) {
  return (
    <div>
      <p className={classes.label}>{name}</p>
      <CodeBlock label={name} value={value} />
    </div>
  );
}

function facts(run: FlowRunDetail) {
  const names = t.run.facts;
  const id = (value: string, name: string) => <CopyableId key={name} id={value} what={name} />;
  return [
    [names.id, id(run.id, names.id)],
    [names.event, id(run.eventId, names.event)],
    [names.version, run.flowVersion],
    [names.started, <TimeAgo key="started" at={run.startedAt} />],
    [names.ended, run.endedAt === null ? t.run.none : <TimeAgo key="ended" at={run.endedAt} />],
    ...(run.resumesAt === null ? [] : [[names.resumes, <TimeAgo key="resumes" at={run.resumesAt} />] as const]),
    [names.depth, run.depth],
  ] as const;
}
