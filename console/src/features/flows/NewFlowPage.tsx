import { PageHeader } from "@components/PageHeader";
import { RequireScope } from "@components/RequireScope";
import { flows as t } from "@strings/flows";
import { IconPlus } from "@tabler/icons-react";
import { getRouteApi, Link } from "@tanstack/react-router";
import { FlowEditor } from "./FlowEditor";
import classes from "./flows.module.css";
import { allSteps, type Draft } from "./model/definition";
import { EMPTY, TEMPLATES, type Template } from "./model/templates";
import { ICONS, TRIGGER_ICON } from "./words";

const route = getRouteApi("/pages/flows/new");
const SCRATCH = "scratch";

/** A new flow: first what it starts from, then the editor. */
export function NewFlowPage() {
  const { from } = route.useSearch();
  const draft = startingDraft(from);
  return (
    <RequireScope scope="flows:write" page>
      {draft === null ? <Templates /> : <FlowEditor key={from} flow={null} initial={draft} />}
    </RequireScope>
  );
}

function Templates() {
  return (
    <>
      <PageHeader title={t.create.title} text={t.create.text} parent={<Link to="/flows">{t.detail.parent}</Link>} />
      <ul className={classes.templates}>
        <li>
          <Link to="/flows/new" search={{ from: SCRATCH }} className={classes.template}>
            <span className={classes.templateIcons}>
              <IconPlus size={18} aria-hidden />
            </span>
            <strong>{t.create.scratch}</strong>
            <span>{t.create.scratchText}</span>
          </Link>
        </li>
        {TEMPLATES.map((template) => (
          <li key={template.key}>
            <TemplateCard template={template} />
          </li>
        ))}
      </ul>
    </>
  );
}

function TemplateCard({ template: { key, text, draft } }: { template: Template }) {
  const steps = allSteps(draft.steps);
  const icons = [{ id: "$", Icon: TRIGGER_ICON }, ...steps.map(({ id, type }) => ({ id, Icon: ICONS[type] }))];
  return (
    <Link to="/flows/new" search={{ from: key }} className={classes.template}>
      <span className={classes.templateIcons}>
        {icons.map(({ id, Icon }) => (
          <Icon key={id} size={18} stroke={1.7} aria-hidden />
        ))}
      </span>
      <strong>{draft.name}</strong>
      <span>{text}</span>
      <span className={classes.templateFoot}>
        {draft.trigger.eventTypes.join(", ")} · {t.create.stepsOf(steps.length)}
      </span>
    </Link>
  );
}

function startingDraft(from: string | undefined): Draft | null {
  if (from === SCRATCH) return EMPTY;
  return TEMPLATES.find(({ key }) => key === from)?.draft ?? null;
}
