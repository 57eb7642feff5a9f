import { useCan } from "@api/session";
import { Confirm } from "@components/Confirm";
import { ErrorPanel } from "@components/ErrorPanel";
import type { Sample } from "@components/filters/SampleEditor";
import { PageHeader } from "@components/PageHeader";
import { problemOf } from "@components/problem";
import { StatusBadge } from "@components/StatusBadge";
import { ActionIcon, Button, Drawer, SegmentedControl, Skeleton, Text, Tooltip, VisuallyHidden } from "@mantine/core";
import "@mantine/core/styles/FloatingIndicator.css";
import "@mantine/core/styles/SegmentedControl.css";
import { useMediaQuery, useWindowEvent } from "@mantine/hooks";
import type { DryRun, EventTypeInfo, Flow } from "@sdk/generated/models";
import { flows as t } from "@strings/flows";
import {
  IconAdjustments,
  IconArrowBackUp,
  IconArrowForwardUp,
  IconFlask,
  IconPlayerPlay,
  type TablerIcon,
} from "@tabler/icons-react";
import { skipToken, useQuery } from "@tanstack/react-query";
import { Link, useBlocker, useNavigate } from "@tanstack/react-router";
import { lazy, type ReactNode, Suspense, useEffect, useMemo, useReducer, useRef, useState } from "react";
import { DryRunBar } from "./DryRunBar";
import classes from "./flows.module.css";
import { JsonView } from "./JsonView";
import { focusNode, keepFocus } from "./keys";
import { check } from "./model/check";
import { type Draft, draftOf, findStep, isSame } from "./model/definition";
import { type Edit, edit, type Selection, startEditor } from "./model/edit";
import { type FlowProblem, inMessage, locate } from "./model/problems";
import { stillWrong } from "./model/stale";
import { stepSample, valueGroups } from "./model/values";
import { Outline } from "./Outline";
import { eventTypes, useDryRun, useNames, useSaveFlow } from "./queries";
import { StepForm } from "./StepForm";
import { SettingsForm, TriggerForm } from "./TriggerForm";
import { type FlowView, FlowViewContext, useFlowView } from "./view";
import { flowStatus, titleOf } from "./words";

const Canvas = lazy(async () => ({ default: (await import("./Canvas")).Canvas }));

type ViewName = "canvas" | "outline" | "json";

interface Props {
  /** The stored flow, or null for a new flow. */
  flow: Flow | null;
  initial: Draft;
  /** Tabs to show below the header. */
  tabs?: ReactNode;
  /** A menu to show to the left of the header's buttons. */
  menu?: ReactNode;
}

/** The flow editor: the flow as canvas, outline or JSON, next to the form for the selection. */
export function FlowEditor({ flow, initial, tabs, menu }: Props) {
  const canWrite = useCan("flows:write");
  const [editor, dispatch] = useReducer(edit, initial, (draft) =>
    startEditor(draft, flow === null ? "trigger" : "flow"),
  );
  const { draft, selection } = editor;
  const base = useBase(flow, draft, dispatch);
  const isDirty = base === null ? !isSame(draft, initial) || draft.steps.length > 0 : !isSame(draft, draftOf(base));
  const leave = useLeaving(canWrite && isDirty);

  const isNarrow = useMediaQuery("(max-width: 960px)", matchMedia("(max-width: 960px)").matches) ?? false;
  const [chosenView, setViewName] = useState<ViewName | null>(null);
  const viewName = chosenView ?? (isNarrow ? "outline" : "canvas");
  const [isFormOpen, setFormOpen] = useState(false);
  const main = useRef<HTMLDivElement>(null);
  const panel = useRef<HTMLElement>(null);
  const [announcement, setAnnouncement] = useState("");

  const isStepOpen = typeof selection === "object";
  const names = useNames(draft.steps, isStepOpen);
  // The settings need no catalogue, and a stored flow opens with them: a page may call the API at most three times.
  const events = useEvents(draft.trigger.eventTypes, selection !== "flow");
  const { sample, own, setSample } = useSample(events.chosen);
  const [found, setFound] = useState<{ draft: Draft; problems: FlowProblem[] } | null>(null);
  const problems = found === null ? [] : stillWrong(found.problems, found.draft, draft);

  const navigate = useNavigate();
  const save = useSaveFlow(base, (saved) => {
    setFound(null);
    leave.allow();
    if (base === null) void navigate({ to: "/flows/$flowId", params: { flowId: saved.id }, replace: true });
    else dispatch({ type: "loaded", draft: draftOf(saved) });
  });
  const dryRun = useDryRun();
  const [tried, setTried] = useState<{ draft: Draft; sample: Sample | null; result: DryRun } | null>(null);
  const isOutdated =
    tried !== null &&
    (tried.draft.steps !== draft.steps || tried.draft.trigger !== draft.trigger || tried.sample !== own);
  const results = tried === null || isOutdated ? [] : tried.result.steps;

  /** Shows the problems, and selects the first one. Returns whether there are none. */
  function isRight(wrong: FlowProblem[]): boolean {
    setFound({ draft, problems: wrong });
    const [first] = wrong;
    if (first) dispatch({ type: "select", selection: first.at });
    return first === undefined;
  }

  function onRefused(error: unknown): void {
    const { fields, detail } = problemOf(error);
    const named = inMessage(draft, detail);
    isRight(fields.length > 0 ? locate(draft, fields) : named ? [named] : []);
  }

  function store(activate: boolean): void {
    if (isRight(check(draft))) save.mutate({ draft, activate }, { onError: onRefused });
  }

  function tryOut(): void {
    if (!isRight(check(draft).filter(({ path }) => path !== "name"))) return;
    const using = { draft, sample: own };
    dryRun.mutate(using, { onSuccess: (result) => setTried({ ...using, result }), onError: onRefused });
  }

  function openForm(byKeyboard: boolean): void {
    if (isNarrow) setFormOpen(true);
    else if (byKeyboard) setTimeout(() => firstField(panel.current)?.focus());
  }

  function change(action: Edit): void {
    dispatch(action);
    if (action.type === "remove") setFormOpen(false);
    else if (isNarrow && isFormOpen) return; // The focus stays in the form.
    if (main.current) keepFocus(main.current);
  }

  const view: FlowView = {
    draft,
    selection,
    select: (next) => dispatch({ type: "select", selection: next }),
    openForm,
    edit: canWrite
      ? (action) => {
          setAnnouncement(said(action, draft));
          change(action);
        }
      : null,
    names,
    problems,
    statuses: Object.fromEntries(results.map(({ id, status }) => [id, status])),
  };

  function onKeyDown(event: KeyboardEvent): void {
    const isInText = (event.target as HTMLElement).closest("input, textarea, select") !== null;
    if (!(event.ctrlKey || event.metaKey) || isInText || !canWrite) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    change({ type: key === "y" || event.shiftKey ? "redo" : "undo" });
  }

  // The page has the focus if the focused step was just removed, or if the user clicked beside the editor.
  useWindowEvent("keydown", (event) => {
    if (event.target === document.body) onKeyDown(event);
  });

  const error = problems.length === 0 ? (save.error ?? dryRun.error) : null;
  const step = typeof selection === "object" ? findStep(draft.steps, selection.step) : undefined;
  const form =
    selection === "flow" ? (
      <SettingsForm />
    ) : step ? (
      <StepForm
        key={step.id}
        step={step}
        values={{
          groups: valueGroups(draft, step.id, events.chosen, sample?.data, names.actions),
          content: stepSample(draft, step.id, eventOf(sample), outputsOf(results), names.actions),
        }}
        tried={results.find(({ id }) => id === step.id)}
      />
    ) : (
      <TriggerForm {...events} sample={sample} onSample={setSample} />
    );

  return (
    <FlowViewContext value={view}>
      <PageHeader
        title={draft.name || t.create.untitled}
        text={draft.description}
        status={
          <>
            {base && <StatusBadge {...flowStatus(base.status)} />}
            {isDirty && <StatusBadge tone="warning">{t.detail.unsaved}</StatusBadge>}
          </>
        }
        parent={<Link to="/flows">{t.detail.parent}</Link>}
      >
        {menu}
        <Button
          variant="default"
          loading={dryRun.isPending}
          leftSection={<IconFlask size={16} aria-hidden />}
          onClick={tryOut}
        >
          {t.dryRun.run}
        </Button>
        {canWrite && (
          <>
            {(base === null || base.status === "INACTIVE") && (
              <Button
                variant="default"
                loading={save.isPending}
                leftSection={<IconPlayerPlay size={16} aria-hidden />}
                onClick={() => store(true)}
              >
                {isDirty || base === null ? t.detail.saveAndActivate : t.detail.activate}
              </Button>
            )}
            <Button loading={save.isPending} disabled={!isDirty && base !== null} onClick={() => store(false)}>
              {t.detail.save}
            </Button>
          </>
        )}
      </PageHeader>
      {tabs}
      {!canWrite && (
        <Text size="sm" c="dimmed" mb="sm">
          {t.editor.readOnly}
        </Text>
      )}
      {error !== null && error !== undefined && <ErrorPanel error={error} />}
      <ProblemList problems={problems} />
      {/* biome-ignore lint/a11y/noStaticElementInteractions: undo and redo work wherever the focus is in the editor */}
      <div className={classes.editor} onKeyDown={(event) => onKeyDown(event.nativeEvent)}>
        <div className={classes.main} ref={main}>
          <div className={classes.tools}>
            <SegmentedControl
              size="xs"
              aria-label={t.editor.views}
              value={viewName}
              data={(["canvas", "outline", "json"] as const).map((value) => ({ value, label: t.editor[value] }))}
              onChange={(value) => setViewName(value as ViewName)}
            />
            <Button
              variant={selection === "flow" ? "light" : "subtle"}
              color="gray"
              size="compact-sm"
              leftSection={<IconAdjustments size={16} aria-hidden />}
              title={t.editor.settingsHint}
              onClick={(event) => {
                view.select("flow");
                openForm(event.detail === 0);
              }}
            >
              {t.editor.settings}
            </Button>
            {canWrite && (
              <span className={classes.history}>
                <HistoryButton
                  label={t.editor.undo}
                  icon={IconArrowBackUp}
                  isPossible={editor.past.length > 0}
                  onClick={() => change({ type: "undo" })}
                />
                <HistoryButton
                  label={t.editor.redo}
                  icon={IconArrowForwardUp}
                  isPossible={editor.future.length > 0}
                  onClick={() => change({ type: "redo" })}
                />
              </span>
            )}
          </div>
          {tried && (
            <DryRunBar
              result={tried.result}
              isOutdated={isOutdated}
              isRunning={dryRun.isPending}
              onAgain={tryOut}
              onClose={() => setTried(null)}
            />
          )}
          {viewName === "json" ? (
            <JsonView />
          ) : viewName === "outline" ? (
            <Outline />
          ) : (
            <Suspense fallback={<Skeleton className={classes.canvas} />}>
              <Canvas />
            </Suspense>
          )}
          {viewName !== "json" && <p className={classes.keys}>{t.editor.keys}</p>}
        </div>
        {isNarrow ? (
          <Drawer
            opened={isFormOpen}
            onClose={() => setFormOpen(false)}
            title={t.editor.editing(nameOf(selection, draft))}
          >
            {form}
          </Drawer>
        ) : (
          <section
            ref={panel}
            className={classes.panel}
            aria-label={t.editor.editing(nameOf(selection, draft))}
            onKeyDown={(event) => {
              const isOpen = (event.target as HTMLElement).getAttribute("aria-expanded") === "true";
              if (event.key === "Escape" && !isOpen && main.current) focusNode(main.current, selection);
            }}
          >
            {form}
          </section>
        )}
      </div>
      <VisuallyHidden role="status">{announcement}</VisuallyHidden>
      {leave.dialog}
    </FlowViewContext>
  );
}

/** All problems, each with a button that goes to its place. */
function ProblemList({ problems }: { problems: readonly FlowProblem[] }) {
  return (
    <div role="alert">
      {problems.length > 0 && (
        <section className={classes.wrongList} aria-label={t.editor.showProblems}>
          <strong>{t.editor.showProblems}</strong>
          <ProblemButtons problems={problems} />
        </section>
      )}
    </div>
  );
}

function ProblemButtons({ problems }: { problems: readonly FlowProblem[] }) {
  const { draft, select, openForm } = useFlowView();
  return (
    <ul>
      {problems.map(({ at, path, message }) => (
        <li key={`${JSON.stringify(at)} ${path} ${message}`}>
          <button
            type="button"
            onClick={() => {
              select(at);
              openForm(true);
            }}
          >
            {nameOf(at, draft)}
          </button>
          : {message}
        </li>
      ))}
    </ul>
  );
}

interface HistoryProps {
  label: string;
  icon: TablerIcon;
  isPossible: boolean;
  onClick: () => void;
}

function HistoryButton({ label, icon: Icon, isPossible, onClick }: HistoryProps) {
  return (
    <Tooltip label={label}>
      <ActionIcon aria-label={label} disabled={!isPossible} onClick={onClick}>
        <Icon size={18} aria-hidden />
      </ActionIcon>
    </Tooltip>
  );
}

/**
 * The stored flow that the draft is based on. A change by someone else replaces the draft, unless it has unsaved
 * changes: then the draft stays, and saving reports that the flow has changed.
 */
function useBase(flow: Flow | null, draft: Draft, dispatch: (action: Edit) => void): Flow | null {
  const [base, setBase] = useState(flow);
  useEffect(() => {
    if (flow === null || base === null || flow.version <= base.version) return;
    const isOwn = isSame(draftOf(flow), draftOf(base)) || isSame(draftOf(flow), draft);
    if (isOwn) setBase(flow);
    else if (isSame(draft, draftOf(base))) {
      setBase(flow);
      dispatch({ type: "loaded", draft: draftOf(flow) });
    }
  }, [flow, base, draft, dispatch]);
  return base;
}

/** Asks for confirmation before unsaved changes are lost. */
function useLeaving(isDirty: boolean): { allow: () => void; dialog: ReactNode } {
  const isAllowed = useRef(false);
  const blocker = useBlocker({
    shouldBlockFn: ({ current, next }) =>
      !isAllowed.current && !(current.pathname === next.pathname && tabOf(current.search) === tabOf(next.search)),
    enableBeforeUnload: isDirty,
    disabled: !isDirty,
    withResolver: true,
  });
  // After saving, leaving is allowed until there are new changes.
  useEffect(() => {
    if (isDirty) isAllowed.current = false;
  }, [isDirty]);
  return {
    allow: () => {
      isAllowed.current = true;
    },
    dialog: (
      <Confirm
        opened={blocker.status === "blocked"}
        title={t.leave.title}
        action={t.leave.action}
        isRunning={false}
        onConfirm={() => blocker.proceed?.()}
        onClose={() => blocker.reset?.()}
      >
        {t.leave.text}
      </Confirm>
    ),
  };
}

/** The event types of the catalogue, and those of them that start the flow. */
function useEvents(types: readonly string[], isWanted: boolean) {
  const canRead = useCan("webhooks:read");
  const query = useQuery({ ...eventTypes, queryFn: canRead && isWanted ? eventTypes.queryFn : skipToken });
  const catalogue = useMemo(() => (query.data ?? []).filter(({ kind }) => kind !== "platform"), [query.data]);
  const chosen = useMemo(
    () => (types.includes("*") ? catalogue : catalogue.filter(({ type }) => types.includes(type))),
    [catalogue, types],
  );
  return { catalogue, chosen, error: query.error };
}

/** The sample: the custom one if its type starts the flow, otherwise the catalogue's. */
function useSample(chosen: readonly EventTypeInfo[]) {
  const [own, setSample] = useState<Sample | null>(null);
  const first = useMemo(() => chosen[0] && { type: chosen[0].type, data: chosen[0].sample }, [chosen]);
  const isFitting = own !== null && chosen.some(({ type }) => type === own.type);
  return { sample: isFitting ? own : (first ?? null), own: isFitting ? own : null, setSample };
}

function eventOf(sample: Sample | null) {
  return { id: "evt_1", type: sample?.type ?? "", timestamp: new Date(0).toISOString(), data: sample?.data ?? {} };
}

function outputsOf(results: DryRun["steps"]): Record<string, unknown> {
  return Object.fromEntries(results.map(({ id, output }) => [id, output]));
}

function nameOf(selection: Selection, draft: Draft): string {
  if (selection === "trigger") return t.editor.trigger;
  if (selection === "flow") return t.editor.settings;
  const step = findStep(draft.steps, selection.step);
  return step ? titleOf(step) : selection.step;
}

/** What screen readers announce after an edit. */
function said(action: Edit, draft: Draft): string {
  if (action.type !== "remove") return "";
  return t.editor.removed(nameOf({ step: action.id }, draft));
}

function firstField(container: HTMLElement | null): HTMLElement | null | undefined {
  return container?.querySelector<HTMLElement>("input:not([disabled]), textarea:not([disabled]), select");
}

function tabOf(search: unknown): unknown {
  return (search as { tab?: unknown }).tab;
}
