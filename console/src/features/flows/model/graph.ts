import type { Branch, Place, Side, Step } from "./definition";

export const NODE_WIDTH = 248;
export const NODE_HEIGHT = 64;
const JOIN_SIZE = 12;
const END_WIDTH = 96;
const END_HEIGHT = 28;
/** The space between two nodes, for the button; more below a branch, for the names of its sides. */
const GAP = 56;
const GAP_OF_SIDES = 84;
const GAP_BETWEEN_SIDES = 40;
/** The distance between a node and the turn of its line. */
const TURN = 20;
const CORNER = 8;
/** The width of an empty side: a line with the side's name. */
const EMPTY_WIDTH = 160;

/** The trigger, a step, the point where the sides of a branch meet, or the end. */
export interface GraphNode {
  id: string;
  kind: "trigger" | "step" | "join" | "end";
  step?: Step;
  width: number;
  height: number;
  x: number;
  y: number;
}

export type Point = readonly [x: number, y: number];

/** A line from one node to the next. The button at `button` adds a step at `place`. */
export interface GraphEdge {
  id: string;
  source: string;
  target: string;
  place: Place;
  /** Set if the line starts a side of a branch; the side's name is at `label`. */
  side?: Side;
  label?: Point;
  button: Point;
  /** The points of the line, which has right angles. */
  points: Point[];
}

export interface Graph {
  nodes: GraphNode[];
  edges: GraphEdge[];
  width: number;
  height: number;
}

const SIDES = ["then", "else"] as const;
export const TRIGGER = "$trigger";
export const END = "$end";

/**
 * Lays out a definition as a graph, from top to bottom, with `then` on the left and `else` on the right. Steps nest, so
 * their sizes determine their places. An edit moves only what it must; a general graph layout could swap the sides.
 */
export function graphOf(steps: readonly Step[]): Graph {
  const nodes: GraphNode[] = [];
  const edges: GraphEdge[] = [];
  const width = widthOf(steps);
  const center = width / 2;

  const put = (id: string, kind: GraphNode["kind"], size: [width: number, height: number], x: number, y: number) =>
    nodes.push({ id, kind, width: size[0], height: size[1], x: x - size[0] / 2, y });
  /** Connects two nodes; `column` is where the line of an empty side runs. */
  function connect(source: string, target: string, place: Place, side?: Side, column?: number): void {
    const at = (id: string) => nodes.find((node) => node.id === id)!;
    const [from, to] = [at(source), at(target)];
    const line = route(
      [from.x + from.width / 2, from.y + from.height],
      [to.x + to.width / 2, to.y],
      side !== undefined,
      column,
    );
    edges.push({
      id: `${source}>${target}${side ? `:${side}` : ""}`,
      source,
      target,
      place,
      ...(side && { side }),
      ...line,
    });
  }

  /** Adds steps after a node, below `y`. Returns the last node, and its bottom. */
  function add(inner: readonly Step[], from: string, branch: string | null, side: Side, x: number, y: number) {
    let [last, bottom] = [from, y];
    for (const [index, step] of inner.entries()) {
      const isFirst = index === 0;
      const top = isFirst && branch !== null ? bottom : bottom + GAP;
      put(step.id, "step", [NODE_WIDTH, NODE_HEIGHT], x, top);
      nodes.at(-1)!.step = step;
      connect(last, step.id, { branch, side, index }, isFirst && branch !== null ? side : undefined);
      [last, bottom] = step.type === "branch" ? addSides(step, x, top + NODE_HEIGHT) : [step.id, top + NODE_HEIGHT];
    }
    return [last, bottom] as const;
  }

  function addSides(step: Branch, x: number, y: number) {
    const join = `$join:${step.id}`;
    let left = x - widthOf([step]) / 2;
    let bottom = y + GAP_OF_SIDES;
    const sides = SIDES.map((side) => {
      const inner = step[side] ?? [];
      const own = widthOf(inner);
      const column = left + own / 2;
      const [last, end] = add(inner, step.id, step.id, side, column, y + GAP_OF_SIDES);
      left += own + GAP_BETWEEN_SIDES;
      bottom = Math.max(bottom, end);
      return { side, last, column, index: inner.length };
    });
    bottom += GAP;
    put(join, "join", [JOIN_SIZE, JOIN_SIZE], x, bottom);
    for (const { side, last, column, index } of sides) {
      const place = { branch: step.id, side, index };
      if (index === 0) connect(last, join, place, side, column);
      else connect(last, join, place);
    }
    return [join, bottom + JOIN_SIZE] as const;
  }

  put(TRIGGER, "trigger", [NODE_WIDTH, NODE_HEIGHT], center, 0);
  const [last, bottom] = add(steps, TRIGGER, null, "then", center, NODE_HEIGHT);
  put(END, "end", [END_WIDTH, END_HEIGHT], center, bottom + GAP);
  connect(last, END, { branch: null, side: "then", index: steps.length });
  return { nodes, edges, width, height: bottom + GAP + END_HEIGHT };
}

/** Routes a line down from one point to another: a side turns below its branch, other lines turn above their target. */
function route(
  from: Point,
  to: Point,
  isSide: boolean,
  column = to[0],
): Pick<GraphEdge, "label" | "button" | "points"> {
  const [x, y] = from;
  const turn = isSide ? y + TURN : to[1] - TURN;
  const points: Point[] = [from];
  if (isSide) {
    points.push([x, turn], [column, turn]);
    if (column !== to[0]) points.push([column, to[1] - TURN], [to[0], to[1] - TURN]);
    points.push(to);
    return { points, label: [column, y + 42], button: [column, y + 66] };
  }
  if (x !== to[0]) points.push([x, turn], [to[0], turn]);
  points.push(to);
  return { points, button: [x, y + GAP / 2 - (x === to[0] ? 0 : 6)] };
}

/** The SVG path of a line, with round corners. */
export function pathOf(points: readonly Point[]): string {
  const [start, ...rest] = points.filter(
    ([x, y], at) => at === 0 || x !== points[at - 1]?.[0] || y !== points[at - 1]?.[1],
  );
  if (start === undefined) return "";
  let path = `M${start[0]},${start[1]}`;
  let last = start;
  for (const [at, point] of rest.entries()) {
    const next = rest[at + 1];
    if (next === undefined) {
      path += `L${point[0]},${point[1]}`;
    } else {
      const [before, after] = [toward(point, last), toward(point, next)];
      path += `L${before[0]},${before[1]}Q${point[0]},${point[1]} ${after[0]},${after[1]}`;
    }
    last = point;
  }
  return path;
}

/** The point near a corner, in the direction of another point. */
function toward([x, y]: Point, [toX, toY]: Point): Point {
  const length = Math.hypot(toX - x, toY - y) || 1;
  const radius = Math.min(CORNER, length / 2);
  return [x + ((toX - x) / length) * radius, y + ((toY - y) / length) * radius];
}

function widthOf(steps: readonly Step[]): number {
  const widths = steps.map((step) => {
    if (step.type !== "branch") return NODE_WIDTH;
    const sides = SIDES.map((side) => widthOf(step[side] ?? []));
    return Math.max(
      NODE_WIDTH,
      sides.reduce((sum, width) => sum + width, GAP_BETWEEN_SIDES),
    );
  });
  return Math.max(EMPTY_WIDTH, ...widths);
}
