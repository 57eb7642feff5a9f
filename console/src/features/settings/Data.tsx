import { useList } from "@api/queries";
import { useCan, useSession } from "@api/session";
import { ErrorPanel } from "@components/ErrorPanel";
import { FormActions } from "@components/FormActions";
import { Panel } from "@components/Panel";
import { RequireScope } from "@components/RequireScope";
import { StatusBadge, type Tone } from "@components/StatusBadge";
import { exactTime, TimeAgo } from "@components/TimeAgo";
import { Anchor, Button, Group, Modal, Skeleton, Stack, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { Task } from "@sdk/generated/models";
import { common } from "@strings/common";
import { settings } from "@strings/settings";
import { IconDownload } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { taskDetail, taskList, useCancelTask, useErase, useExport } from "./queries";
import classes from "./SettingsPage.module.css";

const t = settings.data;
const route = getRouteApi("/pages/settings");
const TONES: Record<Task["status"], Tone> = {
  RUNNING: "info",
  SUCCEEDED: "success",
  FAILED: "danger",
  CANCELLED: "neutral",
};

/** The export and the erasure of the workspace, and their progress. */
export function Data() {
  const { task } = route.useSearch();
  const navigate = route.useNavigate();
  const canReadTasks = useCan("webhooks:read");
  const canExport = useCan("workspace:export");
  const canErase = useCan("workspace:delete");
  const show = ({ id }: Task) => void navigate({ search: { tab: "data", task: id } });
  const start = useExport(show);
  return (
    <div className={classes.stack}>
      {!canExport && !canErase && <RequireScope scope="workspace:export" page children={null} />}
      {task && (canReadTasks ? <TaskPanel id={task} /> : <Text c="dimmed">{t.noScope}</Text>)}
      {canExport && (
        <Panel title={t.exportTitle}>
          <p className={classes.text}>{t.exportText}</p>
          <Button variant="default" loading={start.isPending} onClick={() => start.mutate()}>
            {t.exportStart}
          </Button>
        </Panel>
      )}
      {canReadTasks && (canExport || canErase) && <Tasks />}
      {canErase && (
        <div className={classes.danger}>
          <Panel title={t.eraseTitle}>
            <p className={classes.text}>{t.eraseText}</p>
            <Erase onStarted={show} />
          </Panel>
        </div>
      )}
    </div>
  );
}

function TaskPanel({ id }: { id: string }) {
  const query = useQuery(taskDetail(id));
  if (query.error) return <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />;
  if (query.isPending) return <Skeleton height={96} radius="md" />;
  return <TaskState task={query.data} />;
}

/** One export or erasure: its progress, and its file. */
function TaskState({ task }: { task: Task }) {
  const isExport = task.type === "workspace.export";
  const cancel = useCancelTask(task.id);
  const share = task.total ? Math.min(task.done / task.total, 1) : null;
  return (
    <div className={classes.task} aria-live="polite">
      <Group gap="sm">
        <strong>{t.types[task.type] ?? task.type}</strong>
        <StatusBadge tone={TONES[task.status]}>{t.statuses[task.status]}</StatusBadge>
      </Group>
      {task.status === "RUNNING" && (
        <>
          <Text size="sm" c="dimmed">
            {isExport ? t.running(task.done, task.total) : t.erasingRows(task.done)}
            {task.step && ` · ${t.step(task.step)}`}
          </Text>
          {share !== null && (
            <div
              className={classes.track}
              role="progressbar"
              aria-label={t.progress}
              aria-valuenow={Math.round(share * 100)}
              aria-valuemin={0}
              aria-valuemax={100}
            >
              <span className={classes.fill} style={{ width: `${share * 100}%` }} />
            </div>
          )}
          {isExport && (
            <RequireScope scope="webhooks:write">
              <div>
                <Button variant="default" size="xs" loading={cancel.isPending} onClick={() => cancel.mutate()}>
                  {t.cancel}
                </Button>
              </div>
            </RequireScope>
          )}
        </>
      )}
      {task.error && <Text>{task.error.detail}</Text>}
      {task.status === "SUCCEEDED" && isExport && <Text size="sm">{t.done(task.done)}</Text>}
      {task.file && isHttp(task.file.url) && (
        <div>
          {/* The URL itself grants access to the file, so it must not leak as a referrer. */}
          <Anchor href={task.file.url} rel="noreferrer" download>
            <Group gap={6} component="span" display="inline-flex">
              <IconDownload size={16} aria-hidden />
              {t.download(size(task.file.bytes))}
            </Group>
          </Anchor>
          <Text size="xs" c="dimmed">
            {t.until(exactTime(task.file.urlExpiresAt))} {t.gone(exactTime(task.file.expiresAt))}
          </Text>
        </div>
      )}
    </div>
  );
}

function Tasks() {
  const list = useList(taskList);
  const found = list.items.filter(({ type }) => type !== "webhook.replay");
  return (
    <Panel title={t.tasks}>
      {list.isPending ? (
        <Skeleton height={20} width="60%" />
      ) : list.error ? (
        <ErrorPanel error={list.error} onRetry={list.reload} />
      ) : found.length === 0 ? (
        <Text c="dimmed">{t.tasksNone}</Text>
      ) : (
        <ul className={classes.tasks}>
          {found.map((task) => (
            <li key={task.id}>
              <span>{t.types[task.type]}</span>
              <StatusBadge tone={TONES[task.status]}>{t.statuses[task.status]}</StatusBadge>
              <span className={classes.grow}>
                <TimeAgo at={task.createdAt} />
              </span>
              <Link to="/settings" search={{ tab: "data", task: task.id }}>
                {t.show}
              </Link>
            </li>
          ))}
        </ul>
      )}
      {list.hasMore && (
        <Button mt="sm" size="xs" variant="default" loading={list.isLoadingMore} onClick={list.loadMore}>
          {common.actions.loadMore}
        </Button>
      )}
    </Panel>
  );
}

/** Erases everything. The user must type the ID of the workspace. */
function Erase({ onStarted }: { onStarted: (task: Task) => void }) {
  const { workspaceId } = useSession();
  const [opened, dialog] = useDisclosure(false);
  const [typed, setTyped] = useState("");
  const erase = useErase(workspaceId, (task) => {
    close();
    onStarted(task);
  });
  function close(): void {
    dialog.close();
    setTyped("");
    erase.reset();
  }
  function submit(event: FormEvent): void {
    event.preventDefault();
    if (typed === workspaceId) erase.mutate();
  }
  return (
    <>
      <Button color="danger" onClick={dialog.open}>
        {t.eraseAction}
      </Button>
      <Modal opened={opened} onClose={close} title={t.eraseConfirmTitle}>
        <form onSubmit={submit}>
          <Stack gap="md">
            <Text>{t.eraseWarning}</Text>
            <TextInput
              label={t.eraseInput}
              description={t.eraseType(workspaceId)}
              autoComplete="off"
              spellCheck={false}
              data-autofocus
              value={typed}
              onChange={(event) => setTyped(event.currentTarget.value)}
            />
            {Boolean(erase.error) && <ErrorPanel error={erase.error} />}
            <FormActions
              submit={t.eraseAction}
              isRunning={erase.isPending}
              isDisabled={typed !== workspaceId}
              isDangerous
              onCancel={close}
            />
          </Stack>
        </form>
      </Modal>
    </>
  );
}

/** S3 creates the URL; anything else must not become a link. */
function isHttp(url: string): boolean {
  return /^https?:\/\//.test(url);
}

function size(bytes: number): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;
  const at = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  const format = { style: "unit", unit: units[at], maximumFractionDigits: 1 } as const;
  return new Intl.NumberFormat("en", format).format(bytes / 1000 ** at);
}
