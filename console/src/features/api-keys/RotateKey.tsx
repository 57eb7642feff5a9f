import { ErrorPanel } from "@components/ErrorPanel";
import { options } from "@components/options";
import { Button, Group, Modal, NativeSelect, Stack, Text } from "@mantine/core";
import type { ApiKey, ApiKeyWithSecret } from "@sdk/generated/models";
import { apiKeys as t } from "@strings/api-keys";
import { common } from "@strings/common";
import { useState } from "react";
import { KeyShown } from "./KeyShown";
import classes from "./parts.module.css";
import { useRotateKey } from "./queries";

/** Asks how long the old key stays valid, and then shows the new key. */
export function RotateKey({ apiKey, opened, onClose }: { apiKey: ApiKey; opened: boolean; onClose: () => void }) {
  const [overlap, setOverlap] = useState("86400");
  const [rotated, setRotated] = useState<{ key: ApiKeyWithSecret; oldUntil: string | null } | null>(null);
  const rotate = useRotateKey(apiKey);
  const isNow = overlap === "0";
  function close(): void {
    onClose();
    rotate.reset();
  }
  return (
    <>
      <Modal opened={opened} onClose={close} title={t.rotate.title(apiKey.name)}>
        <Stack gap="md">
          <Text c="dimmed">{t.rotate.text}</Text>
          <NativeSelect
            label={t.rotate.overlap}
            data-autofocus
            value={overlap}
            data={options(t.rotate.options)}
            onChange={(event) => setOverlap(event.currentTarget.value)}
          />
          <ol className={classes.steps}>
            {(isNow ? t.rotate.stepsNow : t.rotate.steps).map((step) => (
              <li key={step}>{step}</li>
            ))}
          </ol>
          {Boolean(rotate.error) && <ErrorPanel error={rotate.error} />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={close}>
              {common.actions.cancel}
            </Button>
            <Button
              {...(isNow && { color: "danger" })}
              loading={rotate.isPending}
              onClick={() =>
                rotate.mutate(Number(overlap), {
                  onSuccess: (key) => {
                    close();
                    setRotated({ key, oldUntil: endOf(apiKey, Number(overlap)) });
                  },
                })
              }
            >
              {t.rotate.action}
            </Button>
          </Group>
        </Stack>
      </Modal>
      <KeyShown created={rotated?.key ?? null} oldUntil={rotated?.oldUntil} onClose={() => setRotated(null)} />
    </>
  );
}

/** When the old key stops working: after the overlap, or earlier if it expires before. Null means now. */
function endOf({ expiresAt }: ApiKey, overlapSeconds: number): string | null {
  if (overlapSeconds === 0) return null;
  const end = Date.now() + overlapSeconds * 1000;
  return new Date(Math.min(end, expiresAt === null ? end : Date.parse(expiresAt))).toISOString();
}
