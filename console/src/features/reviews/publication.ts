import type { Publication, PublishedFields } from "@sdk/generated/models";
import { providers } from "@strings/providers";
import { reviews as t } from "@strings/reviews";

/** The name of a publication: in the submitted version, or otherwise in the listed one. */
export function nameOf({ submitted, listed, id }: Pick<Publication, "submitted" | "listed" | "id">): string {
  return (submitted ?? listed)?.name ?? id;
}

/** What a decision would change: a first version, a change, or nothing. */
export function changeOf({ submitted, listed, withdrawn, reviewStatus }: Publication): string {
  if (reviewStatus === "PENDING") return listed === null ? t.changes.first : t.changes.again;
  if (withdrawn) return t.changes.withdrawn;
  return listed !== null && submitted !== null ? t.changes.listed : t.changes.none;
}

/** A field that installers see, in both versions. Each scope has its own text; other fields have one text. */
export interface ComparedField {
  field: keyof typeof t.detail.fields;
  listed: readonly string[] | null;
  submitted: readonly string[] | null;
  isChanged: boolean;
}

const FIELDS = Object.keys(t.detail.fields) as ComparedField["field"][];

/** Compares the fields of both versions, changed fields first. Without a listed version, nothing counts as changed. */
export function compare({ listed, submitted }: Pick<Publication, "listed" | "submitted">): ComparedField[] {
  const fields = FIELDS.map((field) => {
    const [before, after] = [listed && texts(listed, field), submitted && texts(submitted, field)];
    const isChanged = before !== null && after !== null && before.join("\n") !== after.join("\n");
    return { field, listed: before, submitted: after, isChanged };
  });
  return [...fields.filter(({ isChanged }) => isChanged), ...fields.filter(({ isChanged }) => !isChanged)];
}

function texts(version: PublishedFields, field: ComparedField["field"]): string[] {
  switch (field) {
    case "scopes":
      return version.scopes.length === 0 ? [t.detail.defaultScopes] : [...version.scopes].sort();
    case "type":
      return [providers.types[version.type]];
    case "rateLimitPerHour":
    case "rateLimitPerDay":
      return [version[field]?.toLocaleString("en") ?? t.detail.unlimited];
    default:
      return [version[field] || t.detail.nothing];
  }
}
