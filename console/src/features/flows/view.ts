import { createContext, useContext } from "react";
import type { Draft } from "./model/definition";
import type { Edit, Selection } from "./model/edit";
import type { FlowProblem } from "./model/problems";
import type { Names, ShownStatus } from "./words";

/** What the canvas, the outline and the forms show of a flow, and the actions that they can take. */
export interface FlowView {
  draft: Draft;
  selection: Selection | null;
  select: (selection: Selection) => void;
  /** Opens the form for the selection; `byKeyboard` moves the focus there, even if the form is always open. */
  openForm: (byKeyboard: boolean) => void;
  /** Edits the draft; null if the flow is read-only. */
  edit: ((action: Edit) => void) | null;
  names: Names;
  problems: readonly FlowProblem[];
  /** The status of each step, in a dry run or a run. */
  statuses: Readonly<Record<string, ShownStatus>>;
}

export const FlowViewContext = createContext<FlowView | null>(null);

export function useFlowView(): FlowView {
  const view = useContext(FlowViewContext);
  if (view === null) throw new Error("There is no flow to view.");
  return view;
}

export function isSelected(selection: Selection | null, other: Selection): boolean {
  if (selection === null) return false;
  if (typeof selection === "string" || typeof other === "string") return selection === other;
  return selection.step === other.step;
}

export function problemsAt(problems: readonly FlowProblem[], at: Selection): FlowProblem[] {
  return problems.filter((problem) => isSelected(problem.at, at));
}
