/** Who fed the test that has its proof, read from the tallies of minutes. */
import { armClassOf, readSpansBySource, readTotalsBySource } from "../decisions/index.ts";
import { sourcesOf } from "./breach.ts";
import { isMean } from "./any-test.ts";
import { cumulativeOf, selections, actionsAmong, type CellSides, type Tallied } from "./counting.ts";
import { PREVIOUS } from "./guardrail.ts";
import type { Look } from "./look.ts";
import { cellsOf, type TestDefinition } from "./sequential-test.ts";
import type { Breach, RunningTest } from "./test-record.ts";
import { evidenceWithoutEach, restsOnWriter, type BlocksByWriter } from "./writers.ts";

type Fed = Pick<Breach, "sources"> & Partial<Pick<Breach, "restsOn" | "without">>;

/** Who fed it is asked of the last day, in spans that a look can read while people wait for a rollback. */
const DAY_MS = 86_400_000;
const SPAN_MINUTES = 5;

/** Tokens beyond this many can't each be left out in turn while people wait for a rollback: the largest are. */
const WRITERS_MAX = 20;

/** The share of each token, and what the evidence would be without each of them where the minutes can tell. */
export async function fedBy({ store, watched }: Look, test: RunningTest, sides: CellSides): Promise<Fed> {
  const { release, armClass, plan, state } = test;
  const { endpoint, favourable } = watched;
  const rows = (await readTotalsBySource(store.db, { endpoint, release })).filter((row) => armClassOf(row.arm) === armClass);
  const sources = sourcesOf(plan, rows, sides);
  const { counted, definition } = plan;
  if ((counted.kind !== "selections" && counted.kind !== "actions") || plan.reference === PREVIOUS || isMean(definition))
    return { sources };
  if (sources.length < 2) return { sources, restsOn: sources[0]?.source ?? null };
  const nowMs = store.runtime.clock.nowMs();
  const fromMs = Math.max(state.sinceMs ?? 0, nowMs - DAY_MS);
  const minutes = await readSpansBySource(store.db, { endpoint, release, armClass, fromMs, minutes: SPAN_MINUTES });
  const told = new Set(sources.slice(0, WRITERS_MAX).map(({ source }) => source));
  const spans = minutes.map((byWriter): BlocksByWriter => {
    const blocks = new Map<string, { n: number[]; k: number[] }>();
    for (const [writer, mine] of byWriter) {
      const cells = counted.kind === "actions" ? actionsAmong(mine, counted.actions) : selections(mine, favourable);
      const tallied: Tallied = { kind: "totals", cells };
      const { n, k } = cumulativeOf(plan, tallied, null, sides);
      const name = told.has(writer) ? writer : "others";
      const before = blocks.get(name);
      blocks.set(name, {
        n: n.map((count, g) => count + (before?.n[g] ?? 0)),
        k: k.map((count, g) => count + (before?.k[g] ?? 0)),
      });
    }
    return blocks;
  });
  const without = evidenceWithoutEach(startedFrom(definition, spans), spans);
  if (without.each.length === 0) return { sources };
  return {
    sources,
    restsOn: restsOnWriter(without) ?? null,
    without: without.each.map(({ writer, share, logE }) => ({ source: writer, share, logE })),
  };
}

/** A few large spans must not be spent on learning where the rates are: this looks back and promises nothing. */
function startedFrom(definition: TestDefinition, spans: readonly BlocksByWriter[]): TestDefinition {
  const cells = Array.from({ length: cellsOf(definition.kind) }, (_, g) => {
    let [n, k] = [0, 0];
    for (const span of spans)
      for (const block of span.values()) {
        n += block.n[g] ?? 0;
        k += block.k[g] ?? 0;
      }
    return (k + 1) / (n + 2);
  });
  return { ...definition, prior: cells, priorN: 50 };
}
