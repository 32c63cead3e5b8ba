/** Where the boxes and lines of a lineage go: left to right, what came first at the left, each thing beside the next that was made of it. */

export interface DrawnEdge {
  readonly from: string;
  readonly to: string;
}

export interface Box {
  readonly key: string;
  readonly x: number;
  readonly y: number;
}

export interface Drawing {
  readonly boxes: readonly Box[];
  /** Each as the points that it goes through, of boxes' edges and of gaps between boxes. */
  readonly lines: readonly (DrawnEdge & { readonly points: readonly (readonly [number, number])[] })[];
  /** Things that found no room, by the column they would be in. */
  readonly left: readonly { readonly x: number; readonly y: number; readonly count: number }[];
  readonly width: number;
  readonly height: number;
}

export const BOX_WIDTH = 176;
export const BOX_HEIGHT = 46;
const GAP_X = 52;
const GAP_Y = 14;
/** What a line takes that passes through a column. */
const PASS_HEIGHT = 10;
const IN_COLUMN_MAX = 8;
const MARGIN = 6;

/** A box, or where a line passes. */
interface Place {
  readonly key: string;
  readonly isBox: boolean;
  y: number;
}

/** @param keys - of the things, the root first and nearest first; of a column, the first ones are drawn */
export function drawn(keys: readonly string[], all: readonly DrawnEdge[]): Drawing {
  const known = new Set(keys);
  const edges = all.filter(({ from, to }) => from !== to && known.has(from) && known.has(to));
  const columnOf = columnsOf(keys, edges);
  const columns = [...new Set(columnOf.values())].toSorted((a, b) => a - b);
  const shown = new Set<string>();
  const left = new Map<number, number>();
  for (const column of columns) {
    const inColumn = keys.filter((key) => columnOf.get(key) === column);
    for (const key of inColumn.slice(0, IN_COLUMN_MAX)) shown.add(key);
    if (inColumn.length > IN_COLUMN_MAX) left.set(column, inColumn.length - IN_COLUMN_MAX);
  }
  const places = new Map(columns.map((column) => [column, [] as Place[]]));
  for (const key of keys) if (shown.has(key)) places.get(columnOf.get(key) ?? 0)?.push({ key, isBox: true, y: 0 });
  const paths = edges
    .filter(({ from, to }) => shown.has(from) && shown.has(to))
    .map((edge) => ({ ...edge, path: pathOf(edge, columnOf, places) }));
  arrange(columns, columnOf.get(keys[0] ?? "") ?? 0, places, paths);
  return measured(columns, places, paths, left);
}

interface Path extends DrawnEdge {
  readonly path: readonly { readonly column: number; readonly place: Place }[];
}

/** Of the root 0; before it, by the longest way to it, behind it by the longest way from it. */
function columnsOf(keys: readonly string[], edges: readonly DrawnEdge[]): Map<string, number> {
  const root = keys[0];
  const columnOf = new Map<string, number>();
  if (root === undefined) return columnOf;
  columnOf.set(root, 0);
  // A way has no more steps than there are things; a ring, which can't be, would end there too.
  for (const side of [-1, 1] as const) {
    for (let round = 0; round < keys.length; round++) {
      let isSettled = true;
      for (const edge of edges) {
        const [near, far] = side < 0 ? [edge.to, edge.from] : [edge.from, edge.to];
        const column = columnOf.get(near);
        if (column === undefined || column * side < 0 || far === root) continue;
        const farther = column + side;
        const before = columnOf.get(far);
        if (before !== undefined && (before * side < 0 || before * side >= farther * side)) continue;
        columnOf.set(far, farther);
        isSettled = false;
      }
      if (isSettled) break;
    }
  }
  for (const key of keys) if (!columnOf.has(key)) columnOf.set(key, 0);
  return columnOf;
}

/** Through a place of its own in each column between. */
function pathOf(edge: DrawnEdge, columnOf: ReadonlyMap<string, number>, places: ReadonlyMap<number, Place[]>): Path["path"] {
  const [from, to] = [columnOf.get(edge.from) ?? 0, columnOf.get(edge.to) ?? 0];
  const path: { column: number; place: Place }[] = [];
  // Where there is a ring, which can't be, some column may have nothing in it: nothing passes through that one.
  for (const [column, inColumn] of places) {
    if (column < from || column > to) continue;
    const key = column === from ? edge.from : column === to ? edge.to : undefined;
    const place = inColumn.find((one) => one.key === key) ?? { key: `${edge.from} ${edge.to}`, isBox: false, y: 0 };
    if (key === undefined) inColumn.push(place);
    path.push({ column, place });
  }
  return path;
}

/** From the root outwards, each column in the order of what its things are tied to. */
function arrange(columns: readonly number[], root: number, places: ReadonlyMap<number, Place[]>, paths: readonly Path[]): void {
  const outwards = columns.toSorted((a, b) => Math.abs(a - root) - Math.abs(b - root));
  for (const column of outwards) {
    const inColumn = places.get(column) ?? [];
    const inner = column - Math.sign(column - root);
    const weight = new Map(
      inColumn.map((place) => {
        const ties = paths.flatMap(({ path }) => {
          const at = path.findIndex((step) => step.place === place);
          const beside = at < 0 ? undefined : [path[at - 1], path[at + 1]].find((step) => step?.column === inner);
          return beside ? [middleOf(beside.place)] : [];
        });
        return [place, ties.length === 0 ? 0 : ties.reduce((sum, y) => sum + y, 0) / ties.length] as const;
      }),
    );
    inColumn.sort((a, b) => (weight.get(a) ?? 0) - (weight.get(b) ?? 0));
    const height = inColumn.reduce((sum, place) => sum + heightOf(place) + GAP_Y, -GAP_Y);
    let y = -height / 2;
    for (const place of inColumn) {
      place.y = y;
      y += heightOf(place) + GAP_Y;
    }
  }
}

const heightOf = ({ isBox }: Place): number => (isBox ? BOX_HEIGHT : PASS_HEIGHT);
const middleOf = (place: Place): number => place.y + heightOf(place) / 2;

function measured(
  columns: readonly number[],
  places: ReadonlyMap<number, readonly Place[]>,
  paths: readonly Path[],
  counts: ReadonlyMap<number, number>,
): Drawing {
  const all = [...places.values()].flat();
  const top = Math.min(0, ...all.map(({ y }) => y)) - MARGIN;
  const xOf = (column: number) => MARGIN + columns.indexOf(column) * (BOX_WIDTH + GAP_X);
  const boxes = columns.flatMap((column) =>
    (places.get(column) ?? []).filter(({ isBox }) => isBox).map(({ key, y }) => ({ key, x: xOf(column), y: y - top })),
  );
  const lines = paths.map(({ from, to, path }) => ({
    from,
    to,
    points: path.flatMap(({ column, place }, i) => {
      const [x, y] = [xOf(column), middleOf(place) - top];
      const [start, end] = [[x, y] as const, [x + BOX_WIDTH, y] as const];
      return i === 0 ? [end] : i === path.length - 1 ? [start] : [start, end];
    }),
  }));
  const left = [...counts].map(([column, count]) => {
    const lowest = Math.max(...(places.get(column) ?? []).map((place) => place.y + heightOf(place)));
    return { x: xOf(column), y: lowest - top + GAP_Y, count };
  });
  const height = Math.max(...all.map((place) => place.y + heightOf(place))) - top + MARGIN + (left.length > 0 ? GAP_Y * 2 : 0);
  return { boxes, lines, left, width: MARGIN * 2 + columns.length * (BOX_WIDTH + GAP_X) - GAP_X, height };
}

/** A line's points as the path of an SVG: level at every point, bent between columns. */
export function pathText(points: readonly (readonly [number, number])[]): string {
  const [first, ...rest] = points;
  if (!first) return "";
  let [x, y] = first;
  return `M${x} ${y}${rest
    .map(([toX, toY]) => {
      const middle = (x + toX) / 2;
      const text = toY === y ? `H${toX}` : `C${middle} ${y} ${middle} ${toY} ${toX} ${toY}`;
      [x, y] = [toX, toY];
      return text;
    })
    .join("")}`;
}
