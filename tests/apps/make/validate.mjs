// Validates the files of a Make app with the schemas of Make's own editor, as that editor does.
//
//     node validate.mjs PACKAGES FILE…
//
// prints the faults as JSON: [{file, line, message}]. PACKAGES has vscode-json-languageservice installed.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const [packages, ...files] = process.argv.slice(2);
const { getLanguageService, TextDocument } = createRequire(join(resolve(packages), "package.json"))(
  "vscode-json-languageservice",
);

const schemas = new URL("./schemas/", import.meta.url);
// The schemas by file name, from the editor's package.json, except those for static-params.
const matches = {
  "imljson/parameters.json": ["*.params.iml.json", "*.mappable-params.iml.json", "*.interface.iml.json"],
  "imljson/common.json": ["common.json", "*.common.json"],
  "imljson/api.json": ["*.communication.iml.json", "*.attach.iml.json", "*.detach.iml.json"],
  "imljson/samples.json": ["*.samples.iml.json"],
  "imljson/base.json": ["base.iml.json"],
  "imljson/groups.json": ["groups.json"],
  "makecomapp.schema.json": ["makecomapp.json"],
};

const service = getLanguageService({
  schemaRequestService: async (uri) => readFileSync(fileURLToPath(uri), "utf8"),
  workspaceContext: { resolveRelativePath: (path, from) => new URL(path, from).toString() },
});
service.configure({
  schemas: Object.entries(matches).map(([schema, fileMatch]) => ({
    uri: new URL(schema, schemas).toString(),
    fileMatch,
  })),
});

const problems = [];
for (const file of files) {
  const uri = pathToFileURL(resolve(file)).toString();
  const document = TextDocument.create(uri, "json", 0, readFileSync(file, "utf8"));
  const parsed = service.parseJSONDocument(document);
  if ((await service.getMatchingSchemas(document, parsed)).length === 0) {
    problems.push({ file, line: 1, message: "no schema for a file of this name" });
  }
  for (const found of await service.doValidation(document, parsed, { schemaRequest: "error" })) {
    problems.push({ file, line: found.range.start.line + 1, message: found.message });
  }
}
console.log(JSON.stringify(problems));
