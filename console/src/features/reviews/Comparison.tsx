import { StatusBadge } from "@components/StatusBadge";
import { Text } from "@mantine/core";
import type { Publication } from "@sdk/generated/models";
import { reviews as t } from "@strings/reviews";
import { type ComparedField, compare } from "./publication";
import classes from "./reviews.module.css";

/** Compares the listed and the submitted version: side by side where they differ, and once where they do not. */
export function Comparison({ publication }: { publication: Publication }) {
  const { listed, submitted } = publication;
  const isBoth = listed !== null && submitted !== null;
  const fields = compare(publication);
  return (
    <>
      {isBoth && fields.every(({ isChanged }) => !isChanged) && (
        <Text size="sm" mb="sm">
          {t.detail.unchanged}
        </Text>
      )}
      <dl className={classes.fields}>
        {fields.map((compared) => (
          <div key={compared.field} className={classes.field}>
            <dt>
              {t.detail.fields[compared.field]}
              {compared.isChanged && <StatusBadge tone="warning">{t.detail.changed}</StatusBadge>}
            </dt>
            {compared.isChanged ? (
              <dd className={classes.sides}>
                <Side
                  title={t.detail.listed(listed?.version ?? 0)}
                  texts={compared.listed ?? []}
                  others={compared.submitted ?? []}
                  mark={t.detail.removed}
                  compared={compared}
                />
                <Side
                  title={t.detail.submitted(submitted?.version ?? 0)}
                  texts={compared.submitted ?? []}
                  others={compared.listed ?? []}
                  mark={t.detail.added}
                  compared={compared}
                />
              </dd>
            ) : (
              <dd>
                <Value compared={compared} texts={compared.submitted ?? compared.listed ?? []} />
              </dd>
            )}
          </div>
        ))}
      </dl>
    </>
  );
}

interface SideProps {
  title: string;
  texts: readonly string[];
  /** The texts of the other side. */
  others: readonly string[];
  /** The mark for text that the other side does not have. */
  mark: string;
  compared: ComparedField;
}

function Side({ title, texts, others, mark, compared }: SideProps) {
  return (
    <div className={classes.side}>
      <span className={classes.sideTitle}>{title}</span>
      <Value compared={compared} texts={texts} {...(compared.field === "scopes" && { others, mark })} />
    </div>
  );
}

interface ValueProps {
  compared: ComparedField;
  texts: readonly string[];
  others?: readonly string[];
  mark?: string;
}

/** The texts of a field. Publishers write them, so they are never rendered as images or links. */
function Value({ compared: { field }, texts, others, mark }: ValueProps) {
  if (field !== "scopes") {
    return (
      <>
        <span className={MONOSPACED.has(field) ? classes.mono : classes.text}>{texts.join("\n")}</span>
        {field === "logoUrl" && texts[0] !== t.detail.nothing && (
          <span className={classes.help}>{t.detail.logoHelp}</span>
        )}
      </>
    );
  }
  return (
    <ul className={classes.scopes}>
      {texts.map((scope) => (
        <li key={scope}>
          <span className={classes.mono}>{scope}</span>
          {others !== undefined && !others.includes(scope) && <strong>{mark}</strong>}
        </li>
      ))}
    </ul>
  );
}

const MONOSPACED: ReadonlySet<string> = new Set(["clientId", "logoUrl", "provider"]);
