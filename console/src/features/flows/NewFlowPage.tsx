import { Loaded } from "@components/Loaded";
import { PageHeader } from "@components/PageHeader";
import { RequireScope } from "@components/RequireScope";
import { Skeleton } from "@mantine/core";
import type { FlowTemplate } from "@sdk/generated/models";
import { flows as t } from "@strings/flows";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { FlowEditor } from "./FlowEditor";
import classes from "./flows.module.css";
import { allSteps } from "./model/definition";
import { draftFrom, EMPTY } from "./model/templates";
import { OneTemplate } from "./OneTemplate";
import { templates } from "./queries";
import { ICONS, TRIGGER_ICON } from "./words";

const route = getRouteApi("/pages/flows/new");
const SCRATCH = "scratch";

/** Creates a flow: first the user chooses what to start from, then the editor opens. */
export function NewFlowPage() {
  const { from } = route.useSearch();
  return (
    <RequireScope scope="flows:write" page>
      {from === undefined && <Gallery />}
      {from === SCRATCH && <FlowEditor key={from} flow={null} initial={EMPTY} />}
      {from !== undefined && from !== SCRATCH && <FromTemplate from={from} />}
    </RequireScope>
  );
}

function FromTemplate({ from }: { from: string }) {
  const { chosen = {} } = route.useSearch();
  return (
    <OneTemplate template={from}>
      {(template) => <FlowEditor key={from} flow={null} initial={draftFrom(template, chosen)} />}
    </OneTemplate>
  );
}

function Gallery() {
  const query = useQuery(templates);
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
        <Loaded query={query} skeleton={<Cards />}>
          {(all) =>
            all.map((template) => (
              <li key={template.key}>
                <TemplateCard template={template} />
              </li>
            ))
          }
        </Loaded>
      </ul>
    </>
  );
}

function Cards() {
  return ["a", "b", "c", "d", "e"].map((key) => (
    <li key={key}>
      <Skeleton height={136} radius="md" />
    </li>
  ));
}

function TemplateCard({ template }: { template: FlowTemplate }) {
  const { key, name, description, trigger, steps } = { ...template, steps: draftFrom(template, {}).steps };
  const all = allSteps(steps);
  const icons = [{ id: "$", Icon: TRIGGER_ICON }, ...all.map(({ id, type }) => ({ id, Icon: ICONS[type] }))];
  return (
    <Link to="/flows/templates/$template" params={{ template: key }} className={classes.template}>
      <span className={classes.templateIcons}>
        {icons.map(({ id, Icon }) => (
          <Icon key={id} size={18} stroke={1.7} aria-hidden />
        ))}
      </span>
      <strong>{name}</strong>
      <span>{description}</span>
      <span className={classes.templateFoot}>
        {trigger.eventTypes.join(", ")} · {t.create.stepsOf(all.length)}
      </span>
    </Link>
  );
}
