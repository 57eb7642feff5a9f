// Builds dist: ESM, CommonJS and their types.
import { copyFile, rm } from "node:fs/promises";
import { build } from "tsup";

const common = { config: false, target: "es2022", silent: true };

await rm("dist", { recursive: true, force: true });
await build({ ...common, entry: ["src/index.ts"], format: "cjs" });
// Files of their own: a bundler then leaves out the verification where only the client is used. (It needs
// standardwebhooks, which is CommonJS, and bundlers keep that once a file imports it.)
await build({
  ...common,
  entry: ["src/index.ts", "src/verify.ts", "src/errors.ts"],
  format: "esm",
  dts: { entry: "src/index.ts" },
});
await copyFile("dist/index.d.ts", "dist/index.d.cts");
