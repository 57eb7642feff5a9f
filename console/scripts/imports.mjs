/** Finds forbidden imports: a feature may import from app, api, components and strings, never from another feature. */
import { readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import ts from "typescript";

const SOURCES = resolve("src");
// What each layer must not import. Only `app` may import everything.
const FORBIDDEN = {
  strings: ["app", "api", "components", "features"],
  api: ["app", "components", "features"],
  components: ["app", "features"],
};

const found = ts.sys.readDirectory(SOURCES, [".ts", ".tsx"]).flatMap(check);
for (const line of found) console.error(line);
if (found.length > 0) process.exit(1);

function check(file) {
  const own = relative(SOURCES, file).split("/");
  return ts
    .preProcessFile(readFileSync(file, "utf8"), true, true)
    .importedFiles.map(({ fileName }) => fileName)
    .filter((name) => isForbidden(own, target(file, name)))
    .map((name) => `src/${own.join("/")} must not import ${name}`);
}

/** The path segments of an imported module below src, or none if it is a package. */
function target(file, name) {
  const alias = name.match(/^@(app|api|components|strings)\/(.*)$/);
  if (alias) return [alias[1], alias[2]];
  return name.startsWith(".") ? relative(SOURCES, join(dirname(file), name)).split("/") : [];
}

function isForbidden(own, other) {
  if (own[0] === "features") return other[0] === "features" && other[1] !== own[1];
  return (FORBIDDEN[own[0]] ?? []).includes(other[0]);
}
