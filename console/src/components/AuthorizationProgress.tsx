import type { Authorization } from "@api/authorization";
import { isHttp } from "@api/providerWindow";
import { Button, Group, Loader } from "@mantine/core";
import { authorization as t } from "@strings/authorization";
import { IconExternalLink } from "@tabler/icons-react";
import type { ReactNode } from "react";
import classes from "./AuthorizationProgress.module.css";
import { ErrorPanel } from "./ErrorPanel";
import { problemOf } from "./problem";

interface Props {
  state: Authorization<unknown>;
  /** The provider's name. */
  provider: string;
  onStart: () => void;
  onCancel: () => void;
}

/** Shows the progress of an OAuth flow, and what to do next. */
export function AuthorizationProgress({ state, provider, onStart, onCancel }: Props) {
  switch (state.status) {
    case "idle":
    case "done":
      return null;
    case "starting":
      return <Step title={t.starting} onCancel={onCancel} />;
    case "completing":
      return <Step title={t.completing} />;
    case "waiting":
      return state.isBlocked ? (
        <Step title={t.blocked} text={t.blockedText} onCancel={onCancel}>
          {isHttp(state.url) && (
            <Button
              component="a"
              href={state.url}
              target="_blank"
              rel="noreferrer"
              size="xs"
              leftSection={<IconExternalLink size={14} aria-hidden />}
            >
              {t.open(provider)}
            </Button>
          )}
        </Step>
      ) : (
        <Step title={t.waiting(provider)} text={t.waitingText} onCancel={onCancel}>
          <Button variant="default" size="xs" onClick={onStart}>
            {t.again}
          </Button>
        </Step>
      );
    case "failed":
      return (
        <div className={classes.failed}>
          {state.isDenied ? (
            <div className={classes.denied} role="alert">
              <p className={classes.title}>{t.denied(provider)}</p>
              <p className={classes.text}>{t.deniedText}</p>
              <p className={classes.text}>{problemOf(state.error).detail}</p>
            </div>
          ) : (
            <ErrorPanel error={state.error} />
          )}
          <Group gap="xs">
            <Button onClick={onStart}>{t.startAgain}</Button>
            <Button variant="default" onClick={onCancel}>
              {t.cancel}
            </Button>
          </Group>
        </div>
      );
  }
}

interface StepProps {
  title: string;
  text?: string;
  children?: ReactNode;
  onCancel?: () => void;
}

function Step({ title, text, children, onCancel }: StepProps) {
  return (
    <div className={classes.step}>
      <Loader size={18} aria-hidden />
      <div className={classes.body}>
        <div role="status">
          <p className={classes.title}>{title}</p>
          {text && <p className={classes.text}>{text}</p>}
        </div>
        <Group gap="xs" mt={children || onCancel ? "sm" : 0}>
          {children}
          {onCancel && (
            <Button variant="subtle" color="gray" size="xs" onClick={onCancel}>
              {t.cancel}
            </Button>
          )}
        </Group>
      </div>
    </div>
  );
}
