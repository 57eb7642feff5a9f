import { useSession } from "@api/session";
import { Drawer } from "@mantine/core";
import type { ApiKeyWithSecret } from "@sdk/generated/models";
import { apiKeys as t } from "@strings/api-keys";
import { useState } from "react";
import { KeyForm } from "./KeyForm";
import { KeyShown } from "./KeyShown";
import { useCreateKey } from "./queries";
import { isPreset, presetScopes } from "./scopes";
import { emptyTerms, requestOf } from "./terms";

interface Props {
  /** The preset that the form starts with. */
  preset: string | undefined;
  opened: boolean;
  onClose: () => void;
}

/** Shows the form for a new key, and then the key. */
export function CreateKey({ preset, opened, onClose }: Props) {
  const { scopes } = useSession();
  const [created, setCreated] = useState<ApiKeyWithSecret | null>(null);
  const create = useCreateKey();
  function close(): void {
    onClose();
    create.reset();
  }
  return (
    <>
      <Drawer
        opened={opened}
        onClose={close}
        size={640}
        title={t.form.createTitle}
        // A click outside would discard the input.
        closeOnClickOutside={false}
      >
        <KeyForm
          initial={emptyTerms(isPreset(preset) ? presetScopes(preset, scopes) : [])}
          submit={t.form.submit}
          isRunning={create.isPending}
          error={create.error}
          onSubmit={(terms) =>
            create.mutate(requestOf(terms), {
              onSuccess: (key) => {
                close();
                setCreated(key);
              },
            })
          }
          onCancel={close}
        />
      </Drawer>
      <KeyShown created={created} onClose={() => setCreated(null)} />
    </>
  );
}
