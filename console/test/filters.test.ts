import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate, type Filter, isPath, lookUp } from "@components/filters/evaluate";
import { eventFields, sampleFields } from "@components/filters/fields";
import { convert, newFilter, parse, withOp, write } from "@components/filters/scalars";
// The tests of event_filters.py use the same file.
import vectors from "../../tests/vectors/event_filters.json";

test("filters pass as in the vectors", () => {
  for (const { passes, ...filter } of vectors.filters) {
    assert.equal(evaluate(filter as Filter, vectors.data).passes, passes, JSON.stringify(filter));
  }
});

test("paths are valid as in the vectors", () => {
  for (const { path, valid } of vectors.paths) assert.equal(isPath(path), valid, JSON.stringify(path));
});

test("data that is no object passes no filter but one for what is absent", () => {
  for (const data of [null, [], "text", 5, undefined]) {
    assert.equal(evaluate({ path: "length", op: "exists" }, data).passes, false);
    assert.equal(evaluate({ path: "a", op: "exists", value: false }, data).passes, true);
  }
});

test("a result says what was found, and null is found", () => {
  assert.deepEqual(evaluate({ path: "nothing", op: "equals", value: 1 }, vectors.data), {
    passes: false,
    isFound: true,
    found: null,
  });
  assert.deepEqual(lookUp(vectors.data, "tags.5"), { isFound: false, value: undefined });
});

test("the fields of a schema have the values that it lists, and lists their first entry", () => {
  const schema = {
    type: "object",
    properties: {
      network: { type: "string", enum: ["instagram", "facebook"], description: "Where." },
      tags: { type: "array", items: { type: "object", properties: { name: { type: ["string", "null"] } } } },
      "a.b": { type: "string" },
    },
  };
  assert.deepEqual(eventFields([{ schema }, { schema }]), [
    { path: "network", types: ["string"], description: "Where.", values: ["instagram", "facebook"] },
    { path: "tags", types: ["array"] },
    { path: "tags.0", types: ["object"] },
    { path: "tags.0.name", types: ["string", "null"] },
  ]);
});

test("the fields of a sample are valid paths, at most eight names deep", () => {
  let deep: unknown = 1;
  for (let level = 0; level < 12; level++) deep = { x: deep };
  const paths = sampleFields({ deep, "a.b": 1, ["long".repeat(20)]: 1, list: ["a"] }).map(({ path }) => path);
  assert.ok(paths.every(isPath));
  assert.deepEqual(paths.at(-1), "list.0");
  assert.equal(paths.filter((path) => path.startsWith("deep")).length, 8);
});

test("values of a list stay the same when they are written and read", () => {
  for (const value of ["", "a", "5", "true", "null", '"quoted"', '"', "-", "1e", 5, -1.5, 1e100, true, false, null]) {
    assert.deepEqual(parse(write(value)), value);
  }
});

test("a new filter matches the sample", () => {
  for (const { path } of sampleFields(vectors.data)) {
    const { value } = lookUp(vectors.data, path);
    const filter = newFilter(path, value);
    assert.ok(evaluate(filter, vectors.data).passes || value === null, path);
    const list = withOp(filter, "in", value);
    assert.deepEqual(withOp(list, "in", value), list);
    assert.equal(withOp(list, "exists", value).op, "exists");
  }
  assert.equal(newFilter("text", "x".repeat(300)).op, "exists");
});

test("a value is converted to what is nearest", () => {
  assert.equal(convert("5", "number"), 5);
  assert.equal(convert("five", "number"), 0);
  assert.equal(convert(true, "text"), "true");
  assert.equal(convert("true", "boolean"), true);
  assert.equal(convert("x", "null"), null);
  assert.equal(convert(null, "text"), "");
});
