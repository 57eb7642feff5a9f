import { Button } from "@mantine/core";
import { common as t } from "@strings/common";
import { IconAlertCircle } from "@tabler/icons-react";
import { CopyButton } from "./CopyButton";
import classes from "./ErrorPanel.module.css";
import { fieldErrors, problemOf } from "./problem";

/** Shows an error in place of its content: what is wrong, what to do, and the request ID. */
export function ErrorPanel({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const problem = problemOf(error);
  return (
    <div className={classes.panel} role="alert">
      <IconAlertCircle size={18} className={classes.icon} aria-hidden />
      <div className={classes.body}>
        <p className={classes.title}>{problem.title}</p>
        {/* For a rejected body, the detail only repeats the fields. */}
        {problem.fields.length === 0 && <p className={classes.detail}>{problem.detail}</p>}
        {problem.fields.map(({ path, message }) => (
          <p key={path + message} className={classes.detail}>
            <code>{path}</code>: {message}
          </p>
        ))}
        {problem.requestId && <RequestId id={problem.requestId} />}
        {onRetry && (
          <Button variant="default" size="xs" mt="sm" onClick={onRetry}>
            {t.actions.retry}
          </Button>
        )}
      </div>
    </div>
  );
}

/** Shows an error of a form, unless its fields already show it: `fieldErrors`. */
export function FormError({ error, fields }: { error: unknown; fields: readonly string[] }) {
  const shown = Object.keys(fieldErrors(error));
  if (!error || (shown.length > 0 && shown.every((field) => fields.includes(field)))) return null;
  return <ErrorPanel error={error} />;
}

export function RequestId({ id }: { id: string }) {
  return (
    <div className={classes.request}>
      {t.errors.requestId} <code>{id}</code>
      <CopyButton value={id} what={t.errors.requestId} />
    </div>
  );
}
