import { ActionIcon, Menu } from "@mantine/core";
import { flows as t } from "@strings/flows";
import { IconArrowDown, IconArrowUp, IconCopy, IconDots, IconTrash } from "@tabler/icons-react";
import { AddStep } from "./AddStep";
import classes from "./flows.module.css";
import { onNodeKey } from "./keys";
import type { Side, Step } from "./model/definition";
import { shiftedPlace } from "./model/edit";
import { NodeButton } from "./Node";
import { useFlowView } from "./view";
import { titleOf } from "./words";

/** Shows the flow as nested, ordered lists: the same as the canvas, for small screens and screen readers. */
export function Outline() {
  const view = useFlowView();
  return (
    <section
      className={classes.outline}
      aria-label={t.editor.outlineLabel}
      onKeyDown={(event) => onNodeKey(event, view)}
    >
      <NodeButton />
      <Steps steps={view.draft.steps} branch={null} side="then" />
    </section>
  );
}

function Steps({ steps, branch, side }: { steps: readonly Step[]; branch: string | null; side: Side }) {
  return (
    <>
      {steps.length > 0 && (
        <ol className={classes.steps}>
          {steps.map((step) => (
            <li key={step.id}>
              <div className={classes.stepRow}>
                <NodeButton step={step} />
                <StepMenu step={step} />
              </div>
              {step.type === "branch" && (
                <div className={classes.sides}>
                  {(["then", "else"] as const).map((one) => (
                    <section key={one} aria-label={t.editor[one]}>
                      <p className={classes.sideName}>{t.editor[one]}</p>
                      <Steps steps={step[one] ?? []} branch={step.id} side={one} />
                    </section>
                  ))}
                </div>
              )}
            </li>
          ))}
        </ol>
      )}
      <AddStep place={{ branch, side, index: steps.length }} withText />
    </>
  );
}

function StepMenu({ step }: { step: Step }) {
  const { draft, edit } = useFlowView();
  if (edit === null) return null;
  const { id } = step;
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon aria-label={t.editor.actionsOf(titleOf(step))}>
          <IconDots size={16} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item
          leftSection={<IconArrowUp size={16} aria-hidden />}
          disabled={shiftedPlace(draft.steps, id, -1) === null}
          onClick={() => edit({ type: "shift", id, by: -1 })}
        >
          {t.editor.moveUp}
        </Menu.Item>
        <Menu.Item
          leftSection={<IconArrowDown size={16} aria-hidden />}
          disabled={shiftedPlace(draft.steps, id, 1) === null}
          onClick={() => edit({ type: "shift", id, by: 1 })}
        >
          {t.editor.moveDown}
        </Menu.Item>
        <Menu.Item leftSection={<IconCopy size={16} aria-hidden />} onClick={() => edit({ type: "duplicate", id })}>
          {t.editor.duplicate}
        </Menu.Item>
        <Menu.Item
          color="danger"
          leftSection={<IconTrash size={16} aria-hidden />}
          onClick={() => edit({ type: "remove", id })}
        >
          {t.editor.remove}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
