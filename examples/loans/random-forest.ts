/**
 * A probability forest (Breiman 2001; Malley et al. 2012) on binned columns. A leaf holds the share of its rows that repaid; the forest
 * answers with the mean over its trees.
 *
 * How often a tree's bootstrap draws a row depends only on the row's id and the tree's seed, and which columns a node may cut depends
 * only on its place in the tree: so forests of the same seed on two versions of a table differ by the data, and not by luck.
 */
import { BINS_MAX, binColumns, type Binned } from "./binning.ts";
import type { Matrix } from "./matrix.ts";
import { drawFor, hash32, seeded } from "./random.ts";

export interface ForestOptions {
  readonly trees: number;
  /** Rows in a leaf at least, counted as often as the bootstrap drew them. */
  readonly minLeaf: number;
  /** Cuts from the root to a leaf at most. */
  readonly maxDepth: number;
}

/** One tree, node by node, the root first; children by index. */
export interface Tree {
  /** Column that is compared; -1 in a leaf. */
  readonly feature: Int32Array;
  /** Rows with a value up to it go left. */
  readonly threshold: Float32Array;
  readonly left: Int32Array;
  readonly right: Int32Array;
  /** Share of the node's rows that repaid. */
  readonly value: Float32Array;
}

export function trainForest(matrix: Matrix, options: ForestOptions, seed: number): readonly Tree[] {
  const binned = binColumns(matrix);
  return Array.from({ length: options.trees }, (_, tree) => new Grower(matrix, binned, options, treeSeed(seed, tree)).grow());
}

/** P(repaid) of the row that begins at `at`. */
export function forestScore(trees: readonly Tree[], x: Float32Array, at: number): number {
  let sum = 0;
  for (const tree of trees) sum += treeScore(tree, x, at);
  return sum / trees.length;
}

/** P(repaid) of every training row, by those trees only that never saw it: an honest view of the forest without a second half of data. */
export function outOfBagScores({ x, ids, names }: Matrix, trees: readonly Tree[], seed: number): Float64Array {
  return Float64Array.from(ids, (id, row) => {
    const blind = trees.filter((_, tree) => poissonWeight(id, treeSeed(seed, tree)) === 0);
    return forestScore(blind.length > 0 ? blind : trees, x, row * names.length);
  });
}

/** How often a bootstrap of many rows draws this one: Poisson with mean 1, by its distribution function. */
export function poissonWeight(id: number, seed: number): number {
  const draw = drawFor(id, seed);
  let count = 0;
  while (count < POISSON.length && draw >= (POISSON[count] ?? 1)) count++;
  return count;
}
const POISSON = [0.36787944, 0.73575888, 0.9196986, 0.98101184, 0.99634015, 0.99940582, 0.99991676, 0.99998975];

const treeSeed = (seed: number, tree: number) => hash32(tree, seed);

function treeScore({ feature, threshold, left, right, value }: Tree, x: Float32Array, at: number): number {
  let node = 0;
  for (;;) {
    const column = feature[node] ?? -1;
    if (column < 0) return value[node] ?? 0;
    node = ((x[at + column] ?? 0) <= (threshold[node] ?? 0) ? left[node] : right[node]) ?? 0;
  }
}

/** Rows `from` to `to` of a grower's order, with how many they count as and how many of those repaid. */
interface Node {
  readonly from: number;
  readonly to: number;
  readonly depth: number;
  /** Says where in the tree the node is. */
  readonly place: number;
  readonly count: number;
  readonly repaid: number;
}

/** Rows in bins up to `bin` go left: they count as `count`, `repaid` of them repaid. */
interface Cut {
  readonly column: number;
  readonly bin: number;
  readonly count: number;
  readonly repaid: number;
}

class Grower {
  readonly #binned: Binned;
  readonly #options: ForestOptions;
  readonly #seed: number;
  readonly #weights: Uint8Array;
  /** The weight of rows that repaid, 0 for others. */
  readonly #repaid: Uint8Array;
  /** The rows that were drawn, ordered so that every node has its own in one piece. */
  readonly #rows: Int32Array;
  readonly #countByBin = new Int32Array(BINS_MAX);
  readonly #repaidByBin = new Int32Array(BINS_MAX);
  readonly #tree = {
    feature: [] as number[],
    threshold: [] as number[],
    left: [] as number[],
    right: [] as number[],
    value: [] as number[],
  };

  constructor({ ids, labels }: Matrix, binned: Binned, options: ForestOptions, seed: number) {
    this.#binned = binned;
    this.#options = options;
    this.#seed = seed;
    this.#weights = Uint8Array.from(ids, (id) => poissonWeight(id, seed));
    this.#repaid = this.#weights.map((weight, row) => (labels[row] === 1 ? weight : 0));
    this.#rows = Int32Array.from(ids.keys()).filter((row) => (this.#weights[row] ?? 0) > 0);
  }

  grow(): Tree {
    const count = this.#weights.reduce((sum, weight) => sum + weight, 0);
    const repaid = this.#repaid.reduce((sum, weight) => sum + weight, 0);
    this.#growFrom({ from: 0, to: this.#rows.length, depth: 0, place: 1, count, repaid });
    const { feature, threshold, left, right, value } = this.#tree;
    return {
      feature: Int32Array.from(feature),
      threshold: Float32Array.from(threshold),
      left: Int32Array.from(left),
      right: Int32Array.from(right),
      value: Float32Array.from(value),
    };
  }

  /** Adds a node and all below it. @returns its index */
  #growFrom(node: Node): number {
    const { feature, threshold, left, right, value } = this.#tree;
    const index = feature.push(-1) - 1;
    threshold.push(0);
    left.push(0);
    right.push(0);
    value.push(node.repaid / node.count);
    const cut = this.#bestCut(node);
    if (!cut) return index;
    const middle = this.#partition(node, cut);
    const depth = node.depth + 1;
    feature[index] = cut.column;
    threshold[index] = this.#binned.cuts[cut.column]?.[cut.bin] ?? 0;
    left[index] = this.#growFrom({ ...cut, from: node.from, to: middle, depth, place: hash32(0, node.place) });
    right[index] = this.#growFrom({
      from: middle,
      to: node.to,
      depth,
      place: hash32(1, node.place),
      count: node.count - cut.count,
      repaid: node.repaid - cut.repaid,
    });
    return index;
  }

  #bestCut(node: Node): Cut | undefined {
    const { maxDepth, minLeaf } = this.#options;
    if (node.depth >= maxDepth || node.count < 2 * minLeaf || node.repaid === 0 || node.repaid === node.count) return undefined;
    let best: Cut | undefined;
    let bestPurity = purity(node.count, node.repaid) + 1e-9;
    for (const column of this.#candidates(node)) {
      const bins = this.#countInto(column, node);
      let count = 0;
      let repaid = 0;
      for (let bin = 0; bin < bins - 1; bin++) {
        count += this.#countByBin[bin] ?? 0;
        repaid += this.#repaidByBin[bin] ?? 0;
        if (count < minLeaf) continue;
        if (node.count - count < minLeaf) break;
        const both = purity(count, repaid) + purity(node.count - count, node.repaid - repaid);
        if (both <= bestPurity) continue;
        bestPurity = both;
        best = { column, bin, count, repaid };
      }
    }
    return best;
  }

  /** As many columns as the root of their number, drawn by the node's place. */
  #candidates({ place }: Node): readonly number[] {
    const random = seeded(hash32(place, this.#seed));
    const columns = Array.from(this.#binned.bins.keys());
    const wanted = Math.max(1, Math.round(Math.sqrt(columns.length)));
    return Array.from({ length: wanted }, () => columns.splice(Math.floor(random() * columns.length), 1)[0] ?? 0);
  }

  /** Counts the node's rows by bin of a column. @returns how many bins the column has */
  #countInto(column: number, { from, to }: Node): number {
    const binOfRow = this.#binned.bins[column] ?? new Uint8Array();
    const rows = this.#rows;
    const weights = this.#weights;
    const repaid = this.#repaid;
    const countByBin = this.#countByBin;
    const repaidByBin = this.#repaidByBin;
    const bins = (this.#binned.cuts[column]?.length ?? 0) + 1;
    countByBin.fill(0, 0, bins);
    repaidByBin.fill(0, 0, bins);
    for (let at = from; at < to; at++) {
      const row = rows[at] ?? 0;
      const bin = binOfRow[row] ?? 0;
      countByBin[bin] = (countByBin[bin] ?? 0) + (weights[row] ?? 0);
      repaidByBin[bin] = (repaidByBin[bin] ?? 0) + (repaid[row] ?? 0);
    }
    return bins;
  }

  /** Puts the rows that go left first. @returns where those that go right begin */
  #partition({ from, to }: Node, { column, bin }: Cut): number {
    const binOfRow = this.#binned.bins[column] ?? new Uint8Array();
    let middle = from;
    for (let at = from; at < to; at++) {
      const row = this.#rows[at] ?? 0;
      if ((binOfRow[row] ?? 0) > bin) continue;
      this.#rows[at] = this.#rows[middle] ?? 0;
      this.#rows[middle++] = row;
    }
    return middle;
  }
}

/** Count times one minus the Gini impurity, up to a constant: what a cut should make great in both parts together. */
const purity = (count: number, repaid: number) => (repaid * repaid + (count - repaid) * (count - repaid)) / count;
