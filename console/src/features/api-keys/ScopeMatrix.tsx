import { useSession } from "@api/session";
import { Button, Checkbox, Group, Text } from "@mantine/core";
import "@mantine/core/styles/Checkbox.css";
import { apiKeys as t } from "@strings/api-keys";
import { useMemo } from "react";
import classes from "./parts.module.css";
import { isWhole, PRESETS, presetOf, presetScopes, scopeRows, verbOf } from "./scopes";

interface Props {
  value: readonly string[];
  onChange: (scopes: string[]) => void;
  error?: string | undefined;
}

/** Selects from the scopes that the caller may grant, by resource and verb, with presets. */
export function ScopeMatrix({ value, onChange, error }: Props) {
  const { scopes } = useSession();
  const rows = useMemo(() => scopeRows(scopes), [scopes]);
  const chosen = new Set(value);
  const preset = presetOf(value, scopes);
  const toggle = (scope: string, isOn: boolean) =>
    onChange(isOn ? [...value, scope] : value.filter((each) => each !== scope));
  const box = (resource: string, scope: string | null) =>
    scope !== null && (
      <Checkbox
        size="xs"
        aria-label={`${resource}: ${verbOf(scope)}`}
        checked={chosen.has(scope)}
        onChange={(event) => toggle(scope, event.currentTarget.checked)}
      />
    );
  return (
    <fieldset className={classes.fieldset}>
      <legend>{t.form.access}</legend>
      <Text size="xs" c="dimmed">
        {t.form.accessHelp}
      </Text>
      <Group gap={6} my="xs" role="group" aria-label={t.form.presetsLabel}>
        {PRESETS.filter((each) => presetScopes(each, scopes).length > 0).map((each) => (
          <Button
            key={each}
            size="compact-sm"
            variant={each === preset ? "light" : "default"}
            aria-pressed={each === preset}
            title={isWhole(each, scopes) ? undefined : t.form.partOfPreset(t.presets[each])}
            onClick={() => onChange(presetScopes(each, scopes))}
          >
            {t.presets[each]}
          </Button>
        ))}
      </Group>
      <table className={classes.matrix}>
        <thead>
          <tr>
            <th scope="col">{t.form.resource}</th>
            <th scope="col">{t.form.read}</th>
            <th scope="col">{t.form.write}</th>
            <th scope="col">{t.form.more}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ resource, read, write, others }) => (
            <tr key={resource}>
              <th scope="row">{resource}</th>
              <td>{box(resource, read)}</td>
              <td>{box(resource, write)}</td>
              <td>
                <Group gap="xs">
                  {others.map((scope) => (
                    <Checkbox
                      key={scope}
                      size="xs"
                      label={verbOf(scope)}
                      aria-label={`${resource}: ${verbOf(scope)}`}
                      checked={chosen.has(scope)}
                      onChange={(event) => toggle(scope, event.currentTarget.checked)}
                    />
                  ))}
                </Group>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <Text size="xs" mt={6} c={error ? "var(--mantine-color-error)" : "dimmed"} role="status">
        {error ?? t.form.chosen(value.length)}
      </Text>
    </fieldset>
  );
}
