import type { Branch, Place, Side, Step } from "./definition";

export const NODE_WIDTH = 248;
export const NODE_HEIGHT = 64;
const JOIN_SIZE = 12;
const END_WIDTH = 96;
const END_HEIGHT = 28;
/** Room for the button between two nodes; more below a branch, for the names of its sides. */
const GAP = 56;
const GAP_OF_SIDES = 84;
const GAP_BETWEEN_SIDES = 40;
/** An empty side is a line with its name. */
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

/** From one node to the next. A step that is added on it goes to `place`. */
export interface GraphEdge {
  id: string;
  source: string;
  target: string;
  place: Place;
  side?: Side;
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
 * A definition as a graph, from top to bottom: `then` is left, `else` right. Steps nest, so their places follow from
 * their sizes: an edit moves only what it must, and a layout for graphs of any kind would swap the sides at times.
 */
export function graphOf(steps: readonly Step[]): Graph {
  const nodes: GraphNode[] = [];
  const edges: GraphEdge[] = [];
  const width = widthOf(steps);
  const center = width / 2;

  const put = (id: string, kind: GraphNode["kind"], size: [width: number, height: number], x: number, y: number) =>
    nodes.push({ id, kind, width: size[0], height: size[1], x: x - size[0] / 2, y });
  const connect = (source: string, target: string, place: Place, side?: Side) =>
    edges.push({ id: `${source}>${target}${side ? `:${side}` : ""}`, source, target, place, ...(side && { side }) });

  /** Adds steps after a node, below `y`. Returns the last one, and where it ends. */
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
    const lasts = SIDES.map((side) => {
      const inner = step[side] ?? [];
      const own = widthOf(inner);
      const [last, end] = add(inner, step.id, step.id, side, left + own / 2, y + GAP_OF_SIDES);
      left += own + GAP_BETWEEN_SIDES;
      bottom = Math.max(bottom, end);
      return last;
    });
    bottom += GAP;
    put(join, "join", [JOIN_SIZE, JOIN_SIZE], x, bottom);
    for (const [at, side] of SIDES.entries()) {
      const { length } = step[side] ?? [];
      connect(lasts[at]!, join, { branch: step.id, side, index: length }, length === 0 ? side : undefined);
    }
    return [join, bottom + JOIN_SIZE] as const;
  }

  put(TRIGGER, "trigger", [NODE_WIDTH, NODE_HEIGHT], center, 0);
  const [last, bottom] = add(steps, TRIGGER, null, "then", center, NODE_HEIGHT);
  put(END, "end", [END_WIDTH, END_HEIGHT], center, bottom + GAP);
  connect(last, END, { branch: null, side: "then", index: steps.length });
  return { nodes, edges, width, height: bottom + GAP + END_HEIGHT };
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
