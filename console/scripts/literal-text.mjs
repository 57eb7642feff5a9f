/**
 * Finds user-visible text outside src/strings: between tags, and in attributes that users see or hear. All such text
 * must come from src/strings, so that a translation replaces only one folder.
 */
import { readFileSync } from "node:fs";
import ts from "typescript";

const ATTRIBUTES = new Set([
  "alt",
  "aria-description",
  "aria-label",
  "aria-roledescription",
  "description",
  "error",
  "label",
  "placeholder",
  "summary",
  "text",
  "title",
]);
const HAS_LETTER = /\p{L}/u;

const found = files().flatMap(check);
for (const line of found) console.error(line);
if (found.length > 0) {
  console.error(`\n${found.length} literal texts in components: move them to src/strings.`);
  process.exit(1);
}

function check(file) {
  const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX);
  const lines = [];
  const report = (node, text) => {
    if (!HAS_LETTER.test(text)) return;
    const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
    lines.push(`${file}:${line + 1}: ${JSON.stringify(text.trim())}`);
  };
  const visit = (node) => {
    if (ts.isJsxText(node)) report(node, node.text);
    else if (ts.isJsxAttribute(node) && ATTRIBUTES.has(node.name.getText(source))) {
      if (node.initializer) literals(node.initializer, report);
    } else if (ts.isJsxExpression(node) && !ts.isJsxAttribute(node.parent)) {
      if (node.expression) literals(node.expression, report);
    } else if (
      ts.isCallExpression(node) &&
      node.expression.getText(source) === "notify" &&
      node.arguments[0] !== undefined
    ) {
      ts.forEachChild(node.arguments[0], (property) => {
        if (ts.isPropertyAssignment(property)) literals(property.initializer, report);
      });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return lines;
}

/** The string literals that an expression can evaluate to: not those in comparisons, call arguments or nested tags. */
function literals(node, report) {
  if (ts.isStringLiteralLike(node)) report(node, node.text);
  else if (ts.isTemplateExpression(node)) {
    report(node, node.head.text + node.templateSpans.map((span) => span.literal.text).join(" "));
  } else if (ts.isJsxExpression(node) || ts.isParenthesizedExpression(node)) {
    if (node.expression) literals(node.expression, report);
  } else if (ts.isConditionalExpression(node)) {
    literals(node.whenTrue, report);
    literals(node.whenFalse, report);
  } else if (ts.isBinaryExpression(node)) {
    const { kind } = node.operatorToken;
    const isValue = [
      ts.SyntaxKind.AmpersandAmpersandToken,
      ts.SyntaxKind.BarBarToken,
      ts.SyntaxKind.QuestionQuestionToken,
      ts.SyntaxKind.PlusToken,
    ].includes(kind);
    if (!isValue) return;
    if (kind !== ts.SyntaxKind.AmpersandAmpersandToken) literals(node.left, report);
    literals(node.right, report);
  }
}

function files() {
  return ts.sys
    .readDirectory("src", [".tsx"], undefined, undefined)
    .map((path) => path.replace(/^.*?\/src\//, "src/"))
    .sort();
}
