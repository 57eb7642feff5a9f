import { dismiss, type ShownNotice, useNotices } from "@api/notifications";
import { CloseButton } from "@mantine/core";
import { common as t } from "@strings/common";
import { IconAlertTriangle, IconCircleCheck } from "@tabler/icons-react";
import { ErrorPanel } from "./ErrorPanel";
import classes from "./Notices.module.css";

/** The notifications, in a region that screen readers announce. */
export function Notices() {
  const notices = useNotices();
  return (
    <div className={classes.region} aria-live="polite">
      {notices.map((notice) => (
        <div key={notice.id} className={classes.notice}>
          <Content notice={notice} />
          <CloseButton size="sm" aria-label={t.actions.dismiss} onClick={() => dismiss(notice.id)} />
        </div>
      ))}
    </div>
  );
}

function Content({ notice }: { notice: ShownNotice }) {
  if ("error" in notice) {
    return (
      <div className={classes.body}>
        <ErrorPanel error={notice.error} />
      </div>
    );
  }
  return (
    <>
      {notice.tone === "warning" ? (
        <IconAlertTriangle size={18} className={classes.warning} aria-hidden />
      ) : (
        <IconCircleCheck size={18} className={classes.success} aria-hidden />
      )}
      <p className={classes.body}>{notice.message}</p>
    </>
  );
}
