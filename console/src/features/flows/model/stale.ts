import { type Draft, findStep } from "./definition";
import type { FlowProblem } from "./problems";

/** The problems of a draft that still hold: those of what has not been changed since. */
export function stillWrong(problems: readonly FlowProblem[], then: Draft, now: Draft): FlowProblem[] {
  return problems.filter(({ at }) => {
    if (at === "trigger") return then.trigger === now.trigger;
    if (at === "flow") return then === now;
    return findStep(then.steps, at.step) === findStep(now.steps, at.step);
  });
}
