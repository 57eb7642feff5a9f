import type { KeyboardEvent } from "react";
import { allSteps } from "./model/definition";
import type { Selection } from "./model/edit";
import { type FlowView, isSelected } from "./view";

/** Handles the keys of the canvas and the outline: they move between steps, and edit the focused step. */
export function onNodeKey(event: KeyboardEvent<HTMLElement>, view: FlowView): void {
  const node = (event.target as HTMLElement).closest<HTMLElement>("[data-node]");
  if (node === null) return;
  const { draft, edit, select, selection } = view;
  const container = event.currentTarget;
  const id = node.dataset.node ?? "";
  const order: Selection[] = ["trigger", ...allSteps(draft.steps).map((step) => ({ step: step.id }))];
  const own: Selection = id === "trigger" ? id : { step: id };
  const at = order.findIndex((other) => isSelected(other, own));

  const go = (target: Selection | undefined) => {
    if (target === undefined) return;
    if (!isSelected(selection, target)) select(target);
    focusNode(container, target);
  };
  const isStep = typeof own === "object";
  const by = event.key === "ArrowUp" ? -1 : event.key === "ArrowDown" ? 1 : null;
  if (by !== null && event.altKey && isStep && edit) {
    edit({ type: "shift", id, by });
  } else if (by !== null && !event.altKey) {
    go(order[at + by]);
  } else if (event.key === "Home") {
    go(order[0]);
  } else if (event.key === "End") {
    go(order.at(-1));
  } else if ((event.key === "Delete" || event.key === "Backspace") && isStep && edit) {
    edit({ type: "remove", id });
  } else if (event.key.toLowerCase() === "d" && (event.ctrlKey || event.metaKey) && isStep && edit) {
    edit({ type: "duplicate", id });
  } else {
    return;
  }
  event.preventDefault();
}

/** Focuses a node. */
export function focusNode(container: HTMLElement, selection: Selection): void {
  const id = typeof selection === "string" ? selection : selection.step;
  container.querySelector<HTMLElement>(`[data-node="${CSS.escape(id)}"]`)?.focus({ preventScroll: true });
}

/** Focuses the selected node after the next rendering, if that removes, moves or disables the focused element. */
export function keepFocus(container: HTMLElement): void {
  requestAnimationFrame(() => {
    if (!document.activeElement?.matches("body, :disabled")) return;
    const selected = container.querySelector<HTMLElement>("[data-node][aria-current]");
    selected?.focus({ preventScroll: true });
  });
}
