import { ActionIcon, Button, Menu } from "@mantine/core";
import { flows as t } from "@strings/flows";
import { IconPlus } from "@tabler/icons-react";
import classes from "./flows.module.css";
import { allSteps, findStep, MAX_STEPS, type Place, sequence } from "./model/definition";
import { canAdd } from "./model/edit";
import { useFlowView } from "./view";
import { ICONS, STEP_TYPES, titleOf } from "./words";

/** The button that adds a step at a place: a small icon on the canvas, with text in the outline. */
export function AddStep({ place, withText = false }: { place: Place; withText?: boolean }) {
  const { draft, edit, openForm } = useFlowView();
  if (edit === null) return null;
  const isFull = allSteps(draft.steps).length >= MAX_STEPS;
  const label = t.editor.addHere(where(draft.steps, place));
  return (
    <Menu position="bottom" returnFocus={false} width={260}>
      <Menu.Target>
        {withText ? (
          <Button
            variant="default"
            size="xs"
            leftSection={<IconPlus size={14} aria-hidden />}
            aria-label={label}
            disabled={isFull}
            title={isFull ? t.editor.full : undefined}
          >
            {t.editor.addStep}
          </Button>
        ) : (
          <ActionIcon
            className={classes.plus}
            variant="default"
            size={22}
            radius="xl"
            aria-label={label}
            title={isFull ? t.editor.full : t.editor.addStep}
            disabled={isFull}
          >
            <IconPlus size={14} aria-hidden />
          </ActionIcon>
        )}
      </Menu.Target>
      <Menu.Dropdown>
        {STEP_TYPES.map((type) => {
          const Icon = ICONS[type];
          const isPossible = canAdd(draft.steps, type, place);
          return (
            <Menu.Item
              key={type}
              leftSection={<Icon size={18} stroke={1.7} aria-hidden />}
              disabled={!isPossible}
              onClick={() => {
                edit({ type: "add", step: type, place });
                openForm(true);
              }}
            >
              {t.types[type]}
              <span className={classes.about}>
                {isPossible || type !== "branch" ? t.typeTexts[type] : t.editor.tooDeep}
              </span>
            </Menu.Item>
          );
        })}
      </Menu.Dropdown>
    </Menu>
  );
}

/** Describes a place: after which step, or on which side of a branch. */
function where(steps: Parameters<typeof findStep>[0], place: Place): string {
  const before = sequence(steps, place)[place.index - 1];
  if (before !== undefined) return t.editor.after(titleOf(before));
  const branch = findStep(steps, place.branch);
  return branch ? t.editor.sideOf(t.editor[place.side], titleOf(branch)) : t.editor.after(t.editor.trigger);
}
