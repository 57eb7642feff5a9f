import { ActionIcon, Tooltip } from "@mantine/core";
import { flows as t } from "@strings/flows";
import { IconMaximize, IconZoomIn, IconZoomOut } from "@tabler/icons-react";
import {
  type Edge,
  EdgeLabelRenderer,
  type EdgeProps,
  Handle,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
  useStore,
} from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { type FocusEvent, useCallback, useEffect, useMemo, useRef } from "react";
import { AddStep } from "./AddStep";
import classes from "./flows.module.css";
import { onNodeKey } from "./keys";
import { type GraphEdge, type GraphNode, graphOf, pathOf } from "./model/graph";
import { NodeButton } from "./Node";
import { useFlowView } from "./view";

type DrawnNode = Node<{ node: GraphNode }>;
type DrawnEdge = Edge<{ edge: GraphEdge }>;

const NODE_TYPES = { trigger: StepNode, step: StepNode, join: JoinNode, end: EndNode };
const EDGE_TYPES = { line: LineEdge };
const MARGIN = 24;
const SMALLEST = 0.2;
/** The initial zoom keeps the text readable, even if the graph does not fit. */
const SMALLEST_AT_FIRST = 0.85;

/** Shows the flow as a graph. The outline shows the same as a list. */
export function Canvas() {
  return (
    <ReactFlowProvider>
      <Graph />
    </ReactFlowProvider>
  );
}

function Graph() {
  const view = useFlowView();
  const { steps } = view.draft;
  const container = useRef<HTMLElement>(null);
  const instance = useReactFlow();
  const graph = useMemo(() => graphOf(steps), [steps]);
  const nodes = useMemo(
    () =>
      graph.nodes.map(
        (node): DrawnNode => ({
          id: node.id,
          type: node.kind,
          position: { x: node.x, y: node.y },
          width: node.width,
          height: node.height,
          // By default, the library disables pointer events on nodes that it neither drags nor selects.
          style: { pointerEvents: "all" },
          className: "nopan",
          data: { node },
        }),
      ),
    [graph],
  );
  const edges = useMemo(
    () =>
      graph.edges.map(
        (edge): DrawnEdge => ({ id: edge.id, source: edge.source, target: edge.target, type: "line", data: { edge } }),
      ),
    [graph],
  );

  const show = useCallback(
    (smallest: number) => {
      const { clientWidth = 0, clientHeight = 0 } = container.current ?? {};
      if (clientWidth === 0) return;
      const fitting = Math.min((clientWidth - 2 * MARGIN) / graph.width, (clientHeight - 2 * MARGIN) / graph.height);
      const zoom = Math.min(1, Math.max(smallest, fitting));
      void instance.setViewport({ x: (clientWidth - graph.width * zoom) / 2, y: MARGIN, zoom });
    },
    [graph, instance],
  );

  // The viewport is set initially, and when the width of the canvas changes. Edits do not move it.
  const width = useStore((state) => state.width);
  const shown = useRef(show);
  shown.current = show;
  useEffect(() => {
    if (width > 0) shown.current(SMALLEST_AT_FIRST);
  }, [width]);

  /** Scrolls a node into view when it gets the focus. */
  function onFocus(event: FocusEvent<HTMLElement>): void {
    const id = event.target.closest<HTMLElement>(".react-flow__node")?.dataset.id;
    const node = graph.nodes.find((other) => other.id === id);
    const box = container.current?.getBoundingClientRect();
    if (node === undefined || box === undefined) return;
    const own = event.target.getBoundingClientRect();
    const isVisible = own.top >= box.top && own.bottom <= box.bottom && own.left >= box.left && own.right <= box.right;
    if (isVisible) return;
    void instance.setCenter(node.x + node.width / 2, node.y + node.height / 2, { zoom: instance.getZoom() });
  }

  return (
    <section
      ref={container}
      className={classes.canvas}
      aria-label={t.editor.graph}
      onKeyDown={(event) => onNodeKey(event, view)}
      onFocus={onFocus}
    >
      <ReactFlow<DrawnNode, DrawnEdge>
        nodes={nodes}
        edges={edges}
        nodeTypes={NODE_TYPES}
        edgeTypes={EDGE_TYPES}
        nodesDraggable={false}
        nodesConnectable={false}
        nodesFocusable={false}
        edgesFocusable={false}
        elementsSelectable={false}
        disableKeyboardA11y
        deleteKeyCode={null}
        selectionKeyCode={null}
        multiSelectionKeyCode={null}
        zoomOnDoubleClick={false}
        panOnScroll
        minZoom={SMALLEST}
        maxZoom={1.5}
        attributionPosition="bottom-left"
      />
      <div className={classes.zoom}>
        <Tool label={t.editor.zoomOut} icon={IconZoomOut} onClick={() => void instance.zoomOut()} />
        <Tool label={t.editor.zoomIn} icon={IconZoomIn} onClick={() => void instance.zoomIn()} />
        <Tool label={t.editor.fit} icon={IconMaximize} onClick={() => show(SMALLEST)} />
      </div>
    </section>
  );
}

function Tool({ label, icon: Icon, onClick }: { label: string; icon: typeof IconZoomIn; onClick: () => void }) {
  return (
    <Tooltip label={label}>
      <ActionIcon variant="default" size={30} aria-label={label} onClick={onClick}>
        <Icon size={16} aria-hidden />
      </ActionIcon>
    </Tooltip>
  );
}

function StepNode({ data }: NodeProps<DrawnNode>) {
  return (
    <>
      <Ends />
      <NodeButton step={data.node.step} />
    </>
  );
}

function JoinNode() {
  return (
    <>
      <Ends />
      <span className={classes.join} />
    </>
  );
}

function EndNode() {
  return (
    <>
      <Ends />
      <span className={classes.end}>{t.editor.end}</span>
    </>
  );
}

/** The points where lines start and end. Users cannot connect nodes manually. */
function Ends() {
  return (
    <>
      <Handle type="target" position={Position.Top} isConnectable={false} className={classes.handle} />
      <Handle type="source" position={Position.Bottom} isConnectable={false} className={classes.handle} />
    </>
  );
}

function LineEdge({ data }: EdgeProps<DrawnEdge>) {
  if (data === undefined) return null;
  const { points, label, button, side, place } = data.edge;
  return (
    <>
      <path className={classes.line} d={pathOf(points)} />
      <EdgeLabelRenderer>
        {side && label && (
          <span className={classes.side} style={at(label)}>
            {t.editor[side]}
          </span>
        )}
        <span className={`${classes.add} nodrag nopan`} style={at(button)}>
          <AddStep place={place} />
        </span>
      </EdgeLabelRenderer>
    </>
  );
}

function at([x, y]: readonly [number, number]) {
  return { transform: `translate(-50%, -50%) translate(${x}px, ${y}px)` };
}
