import { type Draft, findStep } from "./definition";
import type { FlowProblem } from "./problems";

/** The problems of a draft that still apply: those in parts that have not changed since. */
export function stillWrong(problems: readonly FlowProblem[], then: Draft, now: Draft): FlowProblem[] {
  return problems.filter(({ at }) => {
    if (at === "trigger") return then.trigger === now.trigger;
    if (at === "flow") return then === now;
    return findStep(then.steps, at.step) === findStep(now.steps, at.step);
  });
}
