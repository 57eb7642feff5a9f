/** Runs the unit tests, test/*.test.ts: Vite builds them with the aliases of the sources, and Node runs the output. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "vite";

const out = mkdtempSync(join(tmpdir(), "console-tests-"));
try {
  const names = readdirSync("test").filter((name) => name.endsWith(".test.ts"));
  await build({
    logLevel: "warn",
    ssr: { noExternal: true },
    build: {
      ssr: true,
      outDir: out,
      manifest: false,
      rolldownOptions: { input: names.map((name) => join("test", name)), output: { entryFileNames: "[name].mjs" } },
    },
  });
  const built = names.map((name) => join(out, name.replace(/\.ts$/, ".mjs")));
  process.exitCode =
    spawnSync(process.execPath, ["--test", "--test-reporter=spec", ...built], { stdio: "inherit" }).status ?? 1;
} finally {
  rmSync(out, { recursive: true, force: true });
}
