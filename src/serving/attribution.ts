/**
 * How much each feature moved a person's score away from those of a reference population: interventional Shapley values. The game of
 * one person and one reference row is worth, for a coalition of features, the model's sum where these features are the person's and
 * all others the reference row's; values are averaged over the reference rows. Pure, and exact up to rounding.
 */
import { orderWeight } from "../shapley.ts";
import type { LinearModel, ModelStructure } from "./model-structure.ts";
import type { TreeModel } from "./tree-structure.ts";

/** Rows of numbers in one array. */
export interface Rows {
  readonly width: number;
  readonly values: Float64Array;
}

/** Sums to `sum - referenceMean`. All on the scale of the model's sum: log-odds where its link is the logistic function. */
export interface Attribution {
  readonly contributions: Float64Array;
  readonly sum: number;
  readonly referenceMean: number;
  /** The model's sum for each reference row. */
  readonly references: Float64Array;
}

/** @param person - one row; @param reference - at least one row of the same width */
export function attributed(model: ModelStructure, person: Float64Array, reference: Rows): Attribution {
  const { width } = reference;
  const own = person.slice();
  stage(model, own, width);
  const values = reference.values.slice();
  stage(model, values, width);
  return model.kind === "linear" ? linear(model, own, { width, values }) : trees(model, own, { width, values });
}

/** The score that a sum stands for. */
export const scoreOf = ({ link }: ModelStructure, sum: number): number => (link === "logit" ? 1 / (1 + Math.exp(-sum)) : sum);

function stage({ stages }: ModelStructure, rows: Float64Array, width: number): void {
  for (const each of stages)
    for (let i = 0; i < rows.length; i++) {
      const column = i % width;
      const value = rows[i] ?? Number.NaN;
      if (each.kind === "affine") rows[i] = value * (each.times[column] ?? 1) + (each.plus[column] ?? 0);
      else if (Object.is(value, each.replaced)) rows[i] = each.by[column] ?? Number.NaN;
    }
}

/** A weighted sum has no interactions: a feature is worth its weight times how far it is from the reference's mean. */
function linear({ base, weights }: LinearModel, person: Float64Array, { width, values }: Rows): Attribution {
  const count = values.length / width;
  const sumOf = (rows: Float64Array, from: number) => weights.reduce((sum, weight, i) => sum + weight * (rows[from + i] ?? 0), base);
  const references = Float64Array.from({ length: count }, (_, row) => sumOf(values, row * width));
  const contributions = weights.map((weight, i) => {
    let apart = 0;
    for (let row = 0; row < count; row++) apart += (person[i] ?? 0) - (values[row * width + i] ?? 0);
    return (weight * apart) / count;
  });
  return { contributions, sum: sumOf(person, 0), referenceMean: mean(references), references };
}

const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const NONE = 0;
const PERSON = 1;
const REFERENCE = 2;

/**
 * For each tree and reference row, all leaves that a mixture of the two rows can come to. A leaf asks some features to be the
 * person's (p of them) and some to be the reference's (q): its game is worth its value for coalitions that hold the former and none
 * of the latter, and Shapley's values of that game are known: value · (p-1)! q! / (p+q)! for each of the former, minus
 * value · p! (q-1)! / (p+q)! for each of the latter. So no coalition is ever formed.
 */
function trees(model: TreeModel, person: Float64Array, { width, values }: Rows): Attribution {
  const count = values.length / width;
  const contributions = new Float64Array(width);
  const references = new Float64Array(count).fill(model.base);
  const walk = new Walk(model, person, contributions);
  let sum = model.base;
  for (const root of model.roots) sum += model.value[leafOf(model, root, person)] ?? 0;
  for (let row = 0; row < count; row++) {
    const reference = values.subarray(row * width, (row + 1) * width);
    for (const root of model.roots) {
      references[row] = (references[row] ?? 0) + (model.value[leafOf(model, root, reference)] ?? 0);
      walk.from(root, reference);
    }
  }
  return { contributions: contributions.map((value) => value / count), sum, referenceMean: mean(references), references };
}

class Walk {
  readonly #model: TreeModel;
  readonly #person: Float64Array;
  readonly #into: Float64Array;
  /** Whose a feature is on the present path. */
  readonly #whose: Uint8Array;
  readonly #persons: number[] = [];
  readonly #references: number[] = [];
  #reference: Float64Array = new Float64Array();

  constructor(model: TreeModel, person: Float64Array, into: Float64Array) {
    this.#model = model;
    this.#person = person;
    this.#into = into;
    this.#whose = new Uint8Array(person.length);
  }

  from(root: number, reference: Float64Array): void {
    this.#reference = reference;
    this.#down(root);
  }

  #down(start: number): void {
    const { comparison, feature, yes, no } = this.#model;
    let node = start;
    while ((comparison[node] ?? -1) >= 0) {
      const mine = holds(this.#model, node, this.#person);
      const other = holds(this.#model, node, this.#reference);
      const at = feature[node] ?? 0;
      const whose = this.#whose[at] ?? NONE;
      if (mine !== other && whose === NONE) {
        this.#branch(at, (mine ? yes[node] : no[node]) ?? 0, (other ? yes[node] : no[node]) ?? 0);
        return;
      }
      node = ((whose === REFERENCE ? other : mine) ? yes[node] : no[node]) ?? 0;
    }
    this.#leaf(this.#model.value[node] ?? 0);
  }

  #branch(feature: number, mine: number, other: number): void {
    this.#whose[feature] = PERSON;
    this.#persons.push(feature);
    this.#down(mine);
    this.#persons.pop();
    this.#whose[feature] = REFERENCE;
    this.#references.push(feature);
    this.#down(other);
    this.#references.pop();
    this.#whose[feature] = NONE;
  }

  #leaf(value: number): void {
    const [p, q] = [this.#persons.length, this.#references.length];
    if (p > 0) {
      const share = value * orderWeight(p - 1, p + q);
      for (const feature of this.#persons) this.#into[feature] = (this.#into[feature] ?? 0) + share;
    }
    if (q > 0) {
      const share = value * orderWeight(p, p + q);
      for (const feature of this.#references) this.#into[feature] = (this.#into[feature] ?? 0) - share;
    }
  }
}

function leafOf(model: TreeModel, root: number, row: Float64Array): number {
  let node = root;
  while ((model.comparison[node] ?? -1) >= 0) node = (holds(model, node, row) ? model.yes[node] : model.no[node]) ?? 0;
  return node;
}

function holds({ comparison, feature, threshold, missingYes }: TreeModel, node: number, row: Float64Array): boolean {
  const value = row[feature[node] ?? 0] ?? Number.NaN;
  const limit = threshold[node] ?? Number.NaN;
  if (missingYes[node] === 1 && Number.isNaN(value)) return true;
  // In the order of `COMPARISONS`; numbers, since this is asked millions of times.
  switch (comparison[node]) {
    case 0:
      return value <= limit;
    case 1:
      return value < limit;
    case 2:
      return value >= limit;
    case 3:
      return value > limit;
    case 4:
      return value === limit;
    default:
      return value !== limit;
  }
}
