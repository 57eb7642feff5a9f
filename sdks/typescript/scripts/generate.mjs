// Writes src/generated/schema.ts: the types of bodies, queries and schemas of openapi.json, with openapi-typescript.
//
// What the SDK does not use is left out, because every user's compiler would read it: examples, and the responses of
// operations (src/generated/resources.ts has the path and the result of each).
import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";

const root = new URL("../", import.meta.url);
const document = JSON.parse(await readFile(new URL("../../openapi.json", root), "utf8"));
const { schemas, parameters, requestBodies } = document.components;
for (const item of Object.values(document.paths)) {
  for (const operation of Object.values(item)) if (operation.responses) operation.responses = {};
}
const source = {
  ...document,
  webhooks: {},
  components: { schemas: withoutExamples(schemas), parameters, requestBodies },
};
const nodes = (await openapiTS(source, { alphabetize: true, defaultNonNullable: false, silent: true })).filter((node) =>
  ["components", "operations"].includes(node.name?.text),
);
await writeFile(
  new URL("src/generated/schema.ts", root),
  `// Generated from openapi.json by \`npm run generate\`: change that, not this file.\n\n${astToString(nodes)}`,
);

function withoutExamples(node) {
  if (Array.isArray(node)) return node.map(withoutExamples);
  if (typeof node !== "object" || node === null) return node;
  const entries = Object.entries(node).filter(([name]) => name !== "examples");
  return Object.fromEntries(entries.map(([name, value]) => [name, withoutExamples(value)]));
}
