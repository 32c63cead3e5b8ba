import { count } from "../format.ts";
import { Wide } from "../incident/part.tsx";
import runsCss from "../runs/runs.module.css";
import css from "./graph.module.css";
import { BOX_HEIGHT, BOX_WIDTH, drawn, pathText, type DrawnEdge } from "./layout.ts";
import { NodeLink, type NodeKind } from "./node-link.tsx";

/** A thing that is drawn. */
export interface DrawnNode {
  readonly key: string;
  /** What it is, and what else is known of it in two words. */
  readonly what: string;
  readonly name: string;
  /** Where more of it is told; a box without it leads nowhere. */
  readonly leadsTo?: { readonly kind: NodeKind; readonly id: string; readonly name: string | null };
}

/**
 * Things as boxes, left to right in the order in which they were made. It is for the eye and the pointer: the lists beside it say the same, so
 * nothing of it is read out or stopped at.
 * @param nodes - the root first, nearest first
 */
export function LineageGraph({ title, nodes, edges }: { title: string; nodes: readonly DrawnNode[]; edges: readonly DrawnEdge[] }) {
  const { boxes, lines, left, width, height } = drawn(
    nodes.map(({ key }) => key),
    edges,
  );
  const nodeOf = new Map(nodes.map((node) => [node.key, node]));
  return (
    <section className={`${runsCss.part} ${css.graph}`} aria-labelledby="drawn">
      <h2 id="drawn">{title}</h2>
      <p className={css.words}>From left to right: each thing, and what was made of it. The lists on this page have the same.</p>
      <Wide label={title}>
        <svg aria-hidden="true" width={width} height={height} viewBox={`0 0 ${width} ${height}`}>
          {lines.map(({ from, to, points }) => (
            <path key={`${from} ${to}`} className={css.line} d={pathText(points)} />
          ))}
          {lines.map(({ from, to, points }) => {
            const [x, y] = points.at(-1) ?? [0, 0];
            return <path key={`${from} ${to}`} className={css.head} d={`M${x} ${y}l-6 -4v8z`} />;
          })}
          {boxes.map(({ key, x, y }) => {
            const node = nodeOf.get(key);
            return node && <Box key={key} node={node} x={x} y={y} isRoot={key === nodes[0]?.key} />;
          })}
          {left.map(({ x, y, count: more }) => (
            <text key={x} className={css.what} x={x + 10} y={y + 10}>
              and {count(more)} more
            </text>
          ))}
        </svg>
      </Wide>
    </section>
  );
}

function Box({ node, x, y, isRoot }: { node: DrawnNode; x: number; y: number; isRoot: boolean }) {
  const content = (
    <>
      <title>{`${node.what}: ${node.name}`}</title>
      <rect className={isRoot ? css.root : css.box} x={x} y={y} width={BOX_WIDTH} height={BOX_HEIGHT} rx={4} />
      <text className={css.what} x={x + 10} y={y + 18}>
        {node.what}
      </text>
      <text className={css.name} x={x + 10} y={y + 35}>
        {cut(node.name)}
      </text>
    </>
  );
  if (node.leadsTo === undefined) return <g>{content}</g>;
  return (
    <NodeLink node={node.leadsTo} tabIndex={-1}>
      {content}
    </NodeLink>
  );
}

/** So many letters fit a box. */
const NAME_MAX = 20;
const cut = (name: string) => (name.length <= NAME_MAX ? name : `${name.slice(0, NAME_MAX - 1)}…`);
