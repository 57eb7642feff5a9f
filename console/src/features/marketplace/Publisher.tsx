import { PublisherName } from "@components/PublisherName";
import type { Integration } from "@sdk/generated/models";
import { marketplace as t } from "@strings/marketplace";
import classes from "./marketplace.module.css";

/** Shows who publishes a listing, and whether the platform has verified them. */
export function Publisher({ item: { publisher } }: { item: Integration }) {
  if (publisher === null) return null;
  const { name, workspaceId, verified } = publisher;
  return (
    <div className={classes.publisher}>
      <PublisherName name={t.by(name ?? workspaceId)} verified={verified} />
    </div>
  );
}
