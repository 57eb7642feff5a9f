import { flows as t } from "@strings/flows";
import { allSteps, type Draft, MAX_WAIT_SECONDS, type Step } from "./definition";
import type { FlowProblem } from "./problems";

/** Finds what is still missing in a draft. The API would report the same problems. */
export function check(draft: Draft): FlowProblem[] {
  const problems: FlowProblem[] = [];
  if (draft.name.trim() === "") problems.push({ at: "flow", path: "name", message: t.check.name });
  if (draft.trigger.eventTypes.length === 0) {
    problems.push({ at: "trigger", path: "eventTypes", message: t.check.eventTypes });
  }
  if (draft.steps.length === 0) problems.push({ at: "flow", path: "steps", message: t.check.steps });
  return [...problems, ...allSteps(draft.steps).flatMap(checkStep)];
}

function checkStep(step: Step): FlowProblem[] {
  const problem = (path: string, message: string): FlowProblem[] => [{ at: { step: step.id }, path, message }];
  switch (step.type) {
    case "webhook":
      return step.webhookId === "" ? problem("webhookId", t.check.webhook) : [];
    case "action":
      return step.action === "" ? problem("action", t.check.action) : [];
    case "request":
      return [
        ...(step.integrationId === "" ? problem("connectionId", t.check.connection) : []),
        ...(step.url === "" ? problem("url", t.check.url) : []),
      ];
    case "wait": {
      const isValid = Number.isInteger(step.seconds) && step.seconds >= 1 && step.seconds <= MAX_WAIT_SECONDS;
      return isValid ? [] : problem("seconds", t.check.wait);
    }
    case "filter":
      return step.filters.length === 0 ? problem("filters", t.check.filters) : [];
    case "branch":
      return [
        ...(step.condition.length === 0 ? problem("condition", t.check.condition) : []),
        ...(step.then.length === 0 ? problem("then", t.check.then) : []),
      ];
  }
}
