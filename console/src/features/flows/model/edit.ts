import type { Filter } from "@components/filters/evaluate";
import {
  allSteps,
  type Draft,
  findStep,
  freeId,
  height,
  isStepId,
  MAX_NESTING,
  MAX_STEPS,
  nesting,
  newStep,
  type Place,
  placeOf,
  type Step,
  type StepType,
  sequence,
  type Trigger,
} from "./definition";

/** What is selected: a step, the trigger, or the flow itself. */
export type Selection = { step: string } | "trigger" | "flow";

export interface Editor {
  draft: Draft;
  selection: Selection;
  past: readonly Draft[];
  future: readonly Draft[];
  /** Where the user typed last: consecutive edits of the same thing are undone together. */
  typing: string | null;
}

export type Edit =
  | { type: "settings"; settings: Partial<Pick<Draft, "name" | "description">> }
  | { type: "trigger"; trigger: Trigger; typing?: string }
  | { type: "add"; step: StepType; place: Place }
  | { type: "change"; id: string; step: Step; typing?: string }
  | { type: "rename"; id: string; to: string }
  | { type: "move"; id: string; place: Place }
  | { type: "shift"; id: string; by: -1 | 1 }
  | { type: "duplicate"; id: string }
  | { type: "remove"; id: string }
  | { type: "replace"; draft: Draft; typing?: string }
  | { type: "loaded"; draft: Draft }
  | { type: "select"; selection: Selection }
  | { type: "undo" }
  | { type: "redo" };

const MAX_PAST = 100;

export function startEditor(draft: Draft, selection: Selection = "trigger"): Editor {
  return { draft, selection, past: [], future: [], typing: null };
}

/** Applies an edit to the JSON. An impossible edit changes nothing. */
export function edit(editor: Editor, action: Edit): Editor {
  const { draft } = editor;
  const { steps } = draft;
  switch (action.type) {
    case "settings":
      return changed(editor, { ...draft, ...action.settings }, { typing: Object.keys(action.settings).join() });
    case "trigger":
      return changed(editor, { ...draft, trigger: action.trigger }, { typing: action.typing });
    case "add": {
      const added = newStep(action.step, ids(steps));
      if (!fits(steps, added, action.place)) return editor;
      return changed(editor, withSteps(draft, insert(steps, added, action.place)), { selection: { step: added.id } });
    }
    case "change":
      return changed(
        editor,
        withSteps(
          draft,
          mapSteps(steps, action.id, () => [action.step]),
        ),
        {
          typing: action.typing && `${action.id}.${action.typing}`,
        },
      );
    case "rename":
      if (!isStepId(action.to) || ids(steps).includes(action.to)) return editor;
      return changed(editor, renamed(draft, action.id, action.to), { selection: { step: action.to } });
    case "move": {
      const step = findStep(steps, action.id);
      if (step === undefined || !canMove(steps, action.id, action.place)) return editor;
      return changed(editor, withSteps(draft, moved(steps, step, action.place)), { selection: { step: action.id } });
    }
    case "shift": {
      const place = shiftedPlace(steps, action.id, action.by);
      return place === null ? editor : edit(editor, { type: "move", id: action.id, place });
    }
    case "duplicate": {
      const step = findStep(steps, action.id);
      const place = placeOf(steps, action.id);
      if (step === undefined || place === undefined || ids(steps).length + size(step) > MAX_STEPS) return editor;
      const copy = withNewIds(step, ids(steps));
      return changed(editor, withSteps(draft, insert(steps, copy, { ...place, index: place.index + 1 })), {
        selection: { step: copy.id },
      });
    }
    case "remove": {
      const place = placeOf(steps, action.id);
      if (place === undefined) return editor;
      const left = mapSteps(steps, action.id, () => []);
      return changed(editor, withSteps(draft, left), { selection: neighbor(left, place) });
    }
    case "replace":
      return changed(editor, action.draft, { typing: action.typing });
    case "loaded":
      return { ...editor, draft: action.draft, selection: existing(editor.selection, action.draft), typing: null };
    case "select":
      return { ...editor, selection: action.selection, typing: null };
    case "undo":
      return travel(editor, editor.past, editor.future, "past");
    case "redo":
      return travel(editor, editor.future, editor.past, "future");
  }
}

/** Whether a step can move to a place: not into itself, and not deeper than branches may nest. */
export function canMove(steps: readonly Step[], id: string, place: Place): boolean {
  const step = findStep(steps, id);
  if (step === undefined) return false;
  const isInside = place.branch !== null && allSteps([step]).some((inner) => inner.id === place.branch);
  return !isInside && nesting(steps, place) + height(step) <= MAX_NESTING;
}

/** Whether a step of this type can be added at a place. */
export function canAdd(steps: readonly Step[], type: StepType, place: Place): boolean {
  return fits(steps, newStep(type, []), place);
}

/** The place one position up or down from a step. This can be inside or outside a branch. */
export function shiftedPlace(steps: readonly Step[], id: string, by: -1 | 1): Place | null {
  const place = placeOf(steps, id);
  if (place === undefined) return null;
  return possiblePlaces(steps, place, by).find((candidate) => canMove(steps, id, candidate)) ?? null;
}

function possiblePlaces(steps: readonly Step[], place: Place, by: -1 | 1): Place[] {
  const siblings = sequence(steps, place);
  const next = siblings[place.index + by];
  // Indexes count the step itself, which is still there.
  const over = { ...place, index: by < 0 ? place.index - 1 : place.index + 2 };
  if (next !== undefined) {
    if (next.type !== "branch") return [over];
    const side = by < 0 ? "else" : "then";
    const inner = sequence(steps, { branch: next.id, side });
    return [{ branch: next.id, side, index: by < 0 ? inner.length : 0 }, over];
  }
  if (place.branch === null) return [];
  const around = placeOf(steps, place.branch);
  if (around === undefined) return [];
  if (by > 0 && place.side === "then") return [{ branch: place.branch, side: "else", index: 0 }];
  if (by < 0 && place.side === "else") {
    const then = sequence(steps, { branch: place.branch, side: "then" });
    return [{ branch: place.branch, side: "then", index: then.length }];
  }
  return [{ ...around, index: around.index + (by > 0 ? 1 : 0) }];
}

function changed(
  editor: Editor,
  draft: Draft,
  { typing = null, selection = editor.selection }: { typing?: string | null; selection?: Selection },
): Editor {
  const isMore = typing !== null && typing === editor.typing;
  const past = isMore ? editor.past : [...editor.past, editor.draft].slice(-MAX_PAST);
  return { draft, selection: existing(selection, draft), past, future: [], typing };
}

function travel(editor: Editor, from: readonly Draft[], to: readonly Draft[], name: "past" | "future"): Editor {
  const draft = from.at(-1);
  if (draft === undefined) return editor;
  const rest = from.slice(0, -1);
  const added = [...to, editor.draft];
  return {
    draft,
    selection: existing(editor.selection, draft),
    past: name === "past" ? rest : added,
    future: name === "past" ? added : rest,
    typing: null,
  };
}

function existing(selection: Selection, { steps }: Draft): Selection {
  return typeof selection === "object" && findStep(steps, selection.step) === undefined ? "trigger" : selection;
}

function fits(steps: readonly Step[], step: Step, place: Place): boolean {
  return ids(steps).length + size(step) <= MAX_STEPS && nesting(steps, place) + height(step) <= MAX_NESTING;
}

function ids(steps: readonly Step[]): string[] {
  return allSteps(steps).map(({ id }) => id);
}

function size(step: Step): number {
  return allSteps([step]).length;
}

function withSteps(draft: Draft, steps: Step[]): Draft {
  return { ...draft, steps };
}

/** The steps with one step, at any level, replaced by others. */
function mapSteps(steps: readonly Step[], id: string, map: (step: Step) => Step[]): Step[] {
  return steps.flatMap((step) => {
    if (step.id === id) return map(step);
    if (step.type !== "branch") return [step];
    return [{ ...step, then: mapSteps(step.then, id, map), else: mapSteps(step.else ?? [], id, map) }];
  });
}

function insert(steps: readonly Step[], step: Step, { branch, side, index }: Place): Step[] {
  if (branch === null) return steps.toSpliced(index, 0, step);
  return mapSteps(steps, branch, (around) => {
    if (around.type !== "branch") return [around];
    return [{ ...around, [side]: (around[side] ?? []).toSpliced(index, 0, step) }];
  });
}

function moved(steps: readonly Step[], step: Step, place: Place): Step[] {
  const from = placeOf(steps, step.id);
  const isSameSequence = from !== undefined && from.branch === place.branch && from.side === place.side;
  const index = isSameSequence && from.index < place.index ? place.index - 1 : place.index;
  return insert(
    mapSteps(steps, step.id, () => []),
    step,
    { ...place, index },
  );
}

/** What to select after the step at a place was removed: the next step, otherwise what is before it. */
function neighbor(steps: readonly Step[], place: Place): Selection {
  const siblings = sequence(steps, place);
  const next = siblings[place.index] ?? siblings[place.index - 1];
  if (next !== undefined) return { step: next.id };
  return place.branch === null ? "trigger" : { step: place.branch };
}

/** A copy with new IDs. References between its steps follow the new IDs. */
function withNewIds(step: Step, taken: readonly string[]): Step {
  const used = [...taken];
  let copy = step;
  for (const { id } of allSteps([step])) {
    const own = freeId(id, used);
    used.push(own);
    copy = renameIn(copy, id, own);
  }
  return copy;
}

function renamed(draft: Draft, id: string, to: string): Draft {
  return { ...draft, steps: draft.steps.map((step) => renameIn(step, id, to)) };
}

/** Changes the ID of one step, in a step and its nested steps, including references to its output. */
function renameIn(step: Step, id: string, to: string): Step {
  const own = { id: step.id === id ? to : step.id };
  const again = (inner: Step) => renameIn(inner, id, to);
  switch (step.type) {
    case "webhook":
      return { ...step, ...own, ...(step.data && { data: renameInValues(step.data, id, to) }) };
    case "action":
      return { ...step, ...own, ...(step.input && { input: renameInValues(step.input, id, to) }) };
    case "request": {
      const { url, query, headers, body } = step;
      return { ...step, ...own, ...renameInValues({ url, query, headers, body }, id, to) };
    }
    case "filter":
      return { ...step, ...own, filters: renameInPaths(step.filters, id, to) };
    case "branch":
      return {
        ...step,
        ...own,
        condition: renameInPaths(step.condition, id, to),
        then: step.then.map(again),
        else: (step.else ?? []).map(again),
      };
    case "wait":
      return { ...step, ...own };
  }
}

function renameInPaths(filters: readonly Filter[], id: string, to: string): Filter[] {
  return filters.map((filter) =>
    filter.path === `steps.${id}` || filter.path.startsWith(`steps.${id}.`)
      ? { ...filter, path: `steps.${to}${filter.path.slice(`steps.${id}`.length)}` }
      : filter,
  );
}

function renameInValues<T>(value: T, id: string, to: string): T {
  const text = JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "string"
      ? inner.replace(new RegExp(`(\\{\\{\\s*steps\\.)${id}(?=[.\\s}])`, "g"), (_all, start: string) => start + to)
      : inner,
  );
  return JSON.parse(text) as T;
}
