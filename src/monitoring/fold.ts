/**
 * Tests fed with recorded minutes, a block a minute: how guardrails would have done, and what is left when a state is lost
 * (sequential-tests §12). Pure.
 */
import { armClassOf, type ArmClass, type MinuteRow, type TotalRow } from "../decisions/index.ts";
import { CellSides, actionsAmong, cumulativeOf, selections, type Tallied } from "./counting.ts";
import { PREVIOUS } from "./guardrail.ts";
import type { Counted, PlannedTest } from "./plan.ts";
import { advance, isProven, reconcile, type Reading } from "./running-tests.ts";
import type { RunningTest, TestOwner } from "./test-record.ts";

/** A test after all minutes, and where it had its proof. */
export interface FoldedTest {
  readonly test: RunningTest;
  /** Null without proof. Decisions are of both sides; the test is as it was then. */
  readonly proven: { readonly minute: number; readonly decisions: number; readonly test: RunningTest } | null;
}

export interface Folding {
  readonly armClass: ArmClass;
  readonly favourable: ReadonlySet<string>;
  /** Tests that minutes say everything of (`isInMinutes`) as they began. */
  readonly tests: readonly RunningTest[];
}

/** The tests of a release as they are before anybody has been answered. */
export function testsFromTheStart(planned: {
  readonly owner: TestOwner;
  readonly plans: readonly PlannedTest[];
  readonly favourable: ReadonlySet<string>;
  readonly budget: number;
}): readonly RunningTest[] {
  const sides = new CellSides();
  const nothing: Tallied = { kind: "totals", cells: new Map() };
  const reading = (plan: PlannedTest): Reading => ({ counts: cumulativeOf(plan, nothing, null, sides), context: "" });
  return reconcile([], { ...planned, isFirstSight: true, nowMs: 0 }, reading).running;
}

const MINUTE_MS = 60_000;

/** Whether minutes say what a test counts: others need pairs of answers, outcomes, or who answers beside whom. */
export const isInMinutes = ({ counted, reference }: PlannedTest): boolean =>
  (counted.kind === "selections" || counted.kind === "actions") && reference !== PREVIOUS;

/** Folds one release's minutes into its tests; the minutes may come in pieces, oldest first. */
export class MinuteFold {
  readonly #folding: Folding;
  readonly #sides = new CellSides();
  readonly #counts = new CumulativeCells();
  #folded: readonly FoldedTest[];

  constructor(folding: Folding) {
    this.#folding = folding;
    this.#folded = folding.tests.map((test) => ({ test, proven: null }));
  }

  get tests(): readonly FoldedTest[] {
    return this.#folded;
  }

  /** @param rows - those of other arm classes than the owner's are passed over */
  add(rows: readonly MinuteRow[]): void {
    const { armClass } = this.#folding;
    for (const minute of byMinute(rows)) {
      for (const row of minute.rows) if (armClassOf(row.arm) === armClass) this.#counts.add(row);
      const now = this.#reading();
      this.#folded = this.#folded.map(({ test, proven }) => {
        // What came before a test began, or in the very minute, belongs to nobody.
        if (minute.minute * MINUTE_MS < (test.state.sinceMs ?? 0)) return { test: { ...test, consumed: now(test.plan).counts }, proven };
        const next = advance(test, now(test.plan));
        if (proven !== null || !isProven(next)) return { test: next, proven };
        const decisions = next.consumed.n.reduce((sum, n) => sum + n, 0);
        return { test: next, proven: { minute: minute.minute, decisions, test: next } };
      });
    }
  }

  #reading(): (plan: PlannedTest) => Reading {
    const { favourable } = this.#folding;
    const tallied = new Map<string, Tallied>();
    return (plan) => {
      const key = plan.counted.kind === "actions" ? plan.counted.actions.join("\0") : "";
      let mine = tallied.get(key);
      if (!mine) tallied.set(key, (mine = { kind: "totals", cells: cellsOf(this.#counts.rows(), plan.counted, favourable) }));
      return { counts: cumulativeOf(plan, mine, null, this.#sides), context: "" };
    };
  }
}

function cellsOf(rows: readonly TotalRow[], counted: Counted, favourable: ReadonlySet<string>) {
  return counted.kind === "actions" ? actionsAmong(rows, counted.actions) : selections(rows, favourable);
}

function* byMinute(rows: readonly MinuteRow[]): Generator<{ readonly minute: number; readonly rows: readonly MinuteRow[] }> {
  let from = 0;
  for (let to = 1; to <= rows.length; to++) {
    if (rows[to]?.minute === rows[from]?.minute) continue;
    const first = rows[from];
    if (first) yield { minute: first.minute, rows: rows.slice(from, to) };
    from = to;
  }
}

/** Totals by cell and action, as they were after some minutes. */
class CumulativeCells {
  readonly #rows = new Map<string, TotalRow>();

  add(row: MinuteRow): void {
    const key = `${row.cell}\0${row.action}`;
    const before = this.#rows.get(key);
    this.#rows.set(key, before ? { ...before, counted: before.counted + row.counted, decisions: before.decisions + row.decisions } : row);
  }

  rows(): readonly TotalRow[] {
    return [...this.#rows.values()];
  }
}
