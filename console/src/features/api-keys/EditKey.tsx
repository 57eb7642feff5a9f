import { useSession } from "@api/session";
import { Drawer } from "@mantine/core";
import type { ApiKey } from "@sdk/generated/models";
import { apiKeys as t } from "@strings/api-keys";
import { KeyForm } from "./KeyForm";
import { useUpdateKey } from "./queries";
import { changesOf, termsOf } from "./terms";

/** The form for an existing key. It sends only the changes. */
export function EditKey({ apiKey, opened, onClose }: { apiKey: ApiKey; opened: boolean; onClose: () => void }) {
  const { scopes } = useSession();
  const update = useUpdateKey(apiKey);
  function close(): void {
    onClose();
    update.reset();
  }
  return (
    <Drawer opened={opened} onClose={close} size={640} title={t.form.editTitle} closeOnClickOutside={false}>
      <KeyForm
        initial={termsOf(apiKey, scopes)}
        submit={t.form.save}
        isEdit
        isRunning={update.isPending}
        error={update.error}
        onSubmit={(terms) => update.mutate(changesOf(apiKey, scopes, terms), { onSuccess: close })}
        onCancel={close}
      />
    </Drawer>
  );
}
