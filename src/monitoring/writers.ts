/** Who fed a guardrail, and whether one of them could have made what it says (reliability-security.md T20). Pure. */
import { MIN_CELL } from "./blocks.ts";
import { closeBlock, startTest, type Block, type TestDefinition } from "./sequential-test.ts";

/** What one span of time (a minute) brought to the cells of a test, by the token that sent it. */
export type BlocksByWriter = ReadonlyMap<string, Block>;

/** What a test has without one writer. */
export interface WithoutWriter {
  readonly writer: string;
  /** Of the decisions in the test's cells. */
  readonly share: number;
  /** Evidence (its logarithm) of all others' decisions alone, span by span. */
  readonly logE: number;
}

/** The evidence of all, and without each writer in turn, the one that it hangs on most first. One writer alone leaves none. */
export interface Leftover {
  readonly all: number;
  readonly each: readonly WithoutWriter[];
}

export function evidenceWithoutEach(definition: TestDefinition, spans: readonly BlocksByWriter[]): Leftover {
  const decisions = new Map<string, number>();
  for (const span of spans)
    for (const [writer, { n }] of span) decisions.set(writer, (decisions.get(writer) ?? 0) + n.reduce((sum, count) => sum + count, 0));
  const all = [...decisions.values()].reduce((sum, count) => sum + count, 0);
  const each = [...decisions]
    .map(([writer, count]) => ({ writer, share: all === 0 ? 0 : count / all, logE: evidenceOf(definition, spans, writer) }))
    .toSorted((a, b) => a.logE - b.logE || b.share - a.share || (a.writer < b.writer ? -1 : 1));
  return { all: evidenceOf(definition, spans, undefined), each };
}

function evidenceOf(definition: TestDefinition, spans: readonly BlocksByWriter[], without: string | undefined): number {
  let state = startTest(definition);
  let open = { n: state.memory.map(() => 0), k: state.memory.map(() => 0) };
  for (const span of spans) {
    for (const [writer, { n, k }] of span) {
      if (writer === without) continue;
      for (let g = 0; g < n.length; g++) {
        open.n[g] = (open.n[g] ?? 0) + (n[g] ?? 0);
        open.k[g] = (open.k[g] ?? 0) + (k[g] ?? 0);
      }
    }
    if (open.n.some((count) => count < MIN_CELL)) continue;
    state = closeBlock(definition, state, open);
    open = { n: state.memory.map(() => 0), k: state.memory.map(() => 0) };
  }
  return state.maxLogE;
}

/** Whoever sends this much of the decisions could have made the evidence alone, whatever it says. */
const NEARLY_ALL = 0.9;

/**
 * The writer on whom a breach rests, or undefined. At the moment of proof every writer of a real harm is missed, as evidence is just
 * enough: without one of four equal ones three quarters are left. So it rests on one only where the others have less than a quarter of what
 * their share of the decisions would bring.
 */
export function restsOnWriter({ all, each }: Leftover): string | undefined {
  return each.find(({ share, logE }) => share >= NEARLY_ALL || (all > 0 && logE < ((1 - share) * all) / 4))?.writer;
}

/** One writer's counted decisions of a span, by cell: how many, and how many favourable. */
export type WriterCells = ReadonlyMap<string, { readonly n: number; readonly k: number }>;

/** How what one writer sends has changed. */
export interface WriterDrift {
  readonly writer: string;
  /** Of all decisions, before and now. */
  readonly shareBefore: number;
  readonly shareNow: number;
  readonly rateBefore: number | null;
  readonly rateNow: number | null;
  /** Population stability index of its mix of groups; null where there are too few decisions on a side. */
  readonly mix: number | null;
  /** What is worth a look. */
  readonly found: readonly ("new" | "share" | "rate" | "mix")[];
}

/** Fewer decisions on a side say nothing about a change. */
const ENOUGH = 200;
/** Points of share, points of rate beyond luck, and a PSI, from which on a change is told. */
const LARGE = { share: 0.2, rate: 0.05, mix: 0.2 } as const;

/**
 * What changed in what each writer sends: hiding a harm takes traffic of another kind. It warns, and proves nothing: campaigns change
 * mixes as well.
 */
export function writerDrifts(before: ReadonlyMap<string, WriterCells>, now: ReadonlyMap<string, WriterCells>): readonly WriterDrift[] {
  const [allBefore, allNow] = [sumOf([...before.values()]), sumOf([...now.values()])];
  return [...new Set([...before.keys(), ...now.keys()])].toSorted().map((writer) => {
    const [then, today] = [before.get(writer) ?? new Map(), now.get(writer) ?? new Map()];
    const [a, b] = [sumOf([then]), sumOf([today])];
    const [shareBefore, shareNow] = [allBefore.n === 0 ? 0 : a.n / allBefore.n, allNow.n === 0 ? 0 : b.n / allNow.n];
    const [rateBefore, rateNow] = [a.n === 0 ? null : a.k / a.n, b.n === 0 ? null : b.k / b.n];
    const isEnough = a.n >= ENOUGH && b.n >= ENOUGH;
    const mix = isEnough ? stability(then, today, a.n, b.n) : null;
    const luck = 3.3 * Math.sqrt(variance(a) + variance(b));
    const found: WriterDrift["found"][number][] = [];
    if (a.n === 0 && b.n >= ENOUGH && allBefore.n >= ENOUGH) found.push("new");
    if (isEnough && Math.abs(shareNow - shareBefore) > LARGE.share) found.push("share");
    if (isEnough && Math.abs((rateNow ?? 0) - (rateBefore ?? 0)) > LARGE.rate + luck) found.push("rate");
    if (mix !== null && mix > LARGE.mix) found.push("mix");
    return { writer, shareBefore, shareNow, rateBefore, rateNow, mix, found };
  });
}

const variance = ({ n, k }: { readonly n: number; readonly k: number }): number => (n === 0 ? 0 : ((k / n) * (1 - k / n)) / n);

function sumOf(all: readonly WriterCells[]): { readonly n: number; readonly k: number } {
  let [n, k] = [0, 0];
  for (const cells of all)
    for (const cell of cells.values()) {
      n += cell.n;
      k += cell.k;
    }
  return { n, k };
}

/** PSI over the cells, half a person added to each so that an empty one doesn't make it infinite. */
function stability(before: WriterCells, now: WriterCells, nBefore: number, nNow: number): number {
  const cells = [...new Set([...before.keys(), ...now.keys()])];
  return cells.reduce((sum, cell) => {
    const p = ((before.get(cell)?.n ?? 0) + 0.5) / (nBefore + 0.5 * cells.length);
    const q = ((now.get(cell)?.n ?? 0) + 0.5) / (nNow + 0.5 * cells.length);
    return sum + (q - p) * Math.log(q / p);
  }, 0);
}
