/** Recognises what was done to the cells of a column: a unit, an offset, a code, an order of columns, a spelling. */

export type CellPattern =
  | { readonly kind: "factor"; readonly factor: number; readonly rows: number }
  | { readonly kind: "offset"; readonly offset: number; readonly rows: number }
  | { readonly kind: "swapped"; readonly with: string; readonly rows: number }
  /** Whatever was there, now it is one value; `was-constant` the other way round. */
  | { readonly kind: "constant" | "was-constant"; readonly value: string; readonly rows: number }
  | { readonly kind: "replaced"; readonly from: string; readonly to: string; readonly rows: number }
  | { readonly kind: SpellingKind; readonly rows: number };

export type SpellingKind = "zeros-trimmed" | "zeros-added" | "case" | "whitespace" | "fewer-decimals" | "more-decimals";

/** Factors that are looked for in rounded values as well: units and periods that people confuse. */
const UNITS = [10, 12, 60, 100, 1000, 1e6].flatMap((unit) => [unit, 1 / unit]);
/** A pattern is told where it holds for so many of the changed cells, and for at least so many rows. */
const SHARE_MIN = 0.1;
const ROWS_MIN = 3;
/** Then it explains the column, and no other is told. */
const SHARE_WHOLE = 0.9;
/** So few different replacements are told one by one. */
const REPLACEMENTS_MAX = 12;
const PAIRS_MAX = 1000;

/** The changed cells of one column, none of them empty. */
export class PatternFinder {
  readonly #factors = new Frequent<number>();
  readonly #offsets = new Frequent<number>();
  readonly #units = new Map<number, number>();
  readonly #before = new Frequent<string>();
  readonly #after = new Frequent<string>();
  readonly #spellings = new Map<SpellingKind, number>();
  readonly #swaps = new Map<number, number>();
  /** null once they are too many to be codes. */
  #pairs: Map<string, { readonly from: string; readonly to: string; rows: number }> | null = new Map();
  #changed = 0;

  add(before: string, after: string): void {
    this.#changed++;
    this.#before.add(before);
    this.#after.add(after);
    this.#addPair(before, after);
    const [a, b] = [numberIn(before), numberIn(after)];
    if (a === undefined || b === undefined) {
      const spelling = textSpelling(before, after);
      if (spelling) increment(this.#spellings, spelling);
      return;
    }
    const spelling = numberSpelling({ text: before, value: a }, { text: after, value: b });
    if (spelling) increment(this.#spellings, spelling);
    if (a === b) return;
    // Single precision takes up what the last digits of doubles differ in.
    this.#offsets.add(Math.fround(b - a));
    if (a === 0 || b === 0) return;
    this.#factors.add(Math.fround(b / a));
    const unit = UNITS.find((each) => isAbout(each, a, b));
    if (unit !== undefined) increment(this.#units, unit);
  }

  /** One row in which this column has the value that the other had, and the other way round. */
  addSwap(other: number): void {
    increment(this.#swaps, other);
  }

  /** Most frequent first. @param names - of all columns */
  patterns(names: readonly string[]): CellPattern[] {
    const enough = ({ rows }: CellPattern) => rows >= ROWS_MIN && rows >= SHARE_MIN * this.#changed;
    const found = [...this.#swapped(names), ...this.#codes(), ...this.#numeric(), ...this.#spelt()].filter(enough);
    const whole = found.find(({ rows }) => rows >= SHARE_WHOLE * this.#changed);
    return whole ? [whole] : found.toSorted((x, y) => y.rows - x.rows);
  }

  #addPair(from: string, to: string): void {
    if (!this.#pairs) return;
    const key = JSON.stringify([from, to]);
    const pair = this.#pairs.get(key) ?? { from, to, rows: 0 };
    pair.rows++;
    this.#pairs.set(key, pair);
    if (this.#pairs.size > PAIRS_MAX) this.#pairs = null;
  }

  #swapped(names: readonly string[]): CellPattern[] {
    return Array.from(this.#swaps, ([other, rows]) => ({ kind: "swapped", with: names[other] ?? "", rows }));
  }

  #codes(): CellPattern[] {
    const [after] = this.#after.top();
    const [before] = this.#before.top();
    // A few codes are told one by one, unless one step leads from all to all.
    const pairs = this.#pairs && this.#pairs.size <= REPLACEMENTS_MAX ? [...this.#pairs.values()] : [];
    const replaced = pairs.map(({ from, to, rows }): CellPattern => ({ kind: "replaced", from, to, rows }));
    if (pairs.length === 1) return replaced;
    const isOneStep = this.#numeric().some(({ rows }) => rows >= SHARE_WHOLE * this.#changed);
    const constants: CellPattern[] = [
      ...(after ? [{ kind: "constant", value: after.value, rows: after.rows } as const] : []),
      ...(before ? [{ kind: "was-constant", value: before.value, rows: before.rows } as const] : []),
    ].filter(({ rows }) => rows >= SHARE_WHOLE * this.#changed);
    return isOneStep ? [] : pairs.length > 0 && pairs.length < 3 ? replaced : [...constants, ...replaced];
  }

  #numeric(): CellPattern[] {
    const offsets = this.#offsets.top().map(({ value, rows }): CellPattern => ({ kind: "offset", offset: tidy(value), rows }));
    const factors = this.#factors.top().map(({ value, rows }): CellPattern => {
      const factor = tidy(value);
      const rounded = Array.from(this.#units).find(([unit]) => tidy(unit) === factor)?.[1] ?? 0;
      return { kind: "factor", factor, rows: Math.max(rows, rounded) };
    });
    const told = new Set(factors.map((pattern) => (pattern.kind === "factor" ? pattern.factor : 0)));
    const rounded = Array.from(this.#units, ([unit, rows]): CellPattern => ({ kind: "factor", factor: tidy(unit), rows })).filter(
      (pattern) => pattern.kind === "factor" && !told.has(pattern.factor) && pattern.rows >= this.#changed / 2,
    );
    const numeric = [...factors, ...rounded, ...offsets].filter(({ rows }) => rows >= 2 * SHARE_MIN * this.#changed);
    return numeric.toSorted((x, y) => y.rows - x.rows);
  }

  #spelt(): CellPattern[] {
    return Array.from(this.#spellings, ([kind, rows]) => ({ kind, rows }));
  }
}

const FREQUENT_MAX = 4096;

/** Counts values; of more than some thousand different ones the rare are forgotten, so counts of the frequent may be a few too low. */
class Frequent<V> {
  readonly #counts = new Map<V, number>();

  add(value: V): void {
    this.#counts.set(value, (this.#counts.get(value) ?? 0) + 1);
    for (let rare = 1; this.#counts.size > FREQUENT_MAX; rare++)
      for (const [each, rows] of this.#counts) if (rows <= rare) this.#counts.delete(each);
  }

  top(): { readonly value: V; readonly rows: number }[] {
    return Array.from(this.#counts, ([value, rows]) => ({ value, rows }))
      .toSorted((x, y) => y.rows - x.rows)
      .slice(0, 2);
  }
}

const increment = <K>(counts: Map<K, number>, key: K) => counts.set(key, (counts.get(key) ?? 0) + 1);
const tidy = (value: number) => Number(value.toPrecision(6));
const numberForm = /^-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

function numberIn(text: string): number | undefined {
  const value = numberForm.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : undefined;
}

/** Whether `b` is `a` times `unit`, or `a` is `b` divided by it, but for rounding; and not so small that rounding made everything of it. */
function isAbout(unit: number, a: number, b: number): boolean {
  const ratio = b / a / unit;
  if (ratio < 0.9 || ratio > 1.1) return false;
  const [finest, other, exact] = unit < 1 ? [b, a * unit, Math.abs(a * unit)] : [a, b / unit, Math.abs(b / unit)];
  const step = 10 ** -decimalsOf(String(finest));
  return exact >= 5 * step && Math.abs(finest - other) <= step * 0.5 * (1 + 1e-9);
}

function decimalsOf(text: string): number {
  const [, digits = "", exponent = "0"] = /^-?\d*\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  return Math.max(0, digits.length - Number(exponent));
}

function textSpelling(a: string, b: string): SpellingKind | undefined {
  const spaced = (text: string) => text.replaceAll(/\s+/g, " ").trim();
  if (spaced(a) === spaced(b)) return "whitespace";
  if (a.toLowerCase() === b.toLowerCase()) return "case";
  // Names of things may begin with zeros without being numbers: 0042-A.
  const bare = (text: string) => text.replace(/^0+(?=.)/, "");
  if (bare(a) === b) return "zeros-trimmed";
  return bare(b) === a ? "zeros-added" : undefined;
}

interface Spelt {
  readonly text: string;
  readonly value: number;
}

function numberSpelling(a: Spelt, b: Spelt): SpellingKind | undefined {
  if (a.value === b.value) return a.text.length > b.text.length ? "zeros-trimmed" : "zeros-added";
  const [fine, coarse] = [decimalsOf(a.text), decimalsOf(b.text)];
  if (fine === coarse) return undefined;
  const isClose = Math.abs(a.value - b.value) <= 0.5 * 10 ** -Math.min(fine, coarse) * (1 + 1e-9);
  return isClose ? (fine > coarse ? "fewer-decimals" : "more-decimals") : undefined;
}
