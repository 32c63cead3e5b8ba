/**
 * Tests whose state is lost. A fresh test would bet the same budget a second time; so each begins again as it once began and is fed with
 * the recorded minutes, which is another valid test of the same release and replaces the one that is lost (sequential-tests §12). What
 * minutes don't tell ends, and whoever goes on watching it pays from the reserve.
 */
import { readMinutesByDay, type MinuteRow } from "../decisions/index.ts";
import type { Json, Store } from "../store/index.ts";
import { MinuteFold, isInMinutes, type FoldedTest } from "./fold.ts";
import { isNewest, type LostTest } from "./stored-tests.ts";
import type { RunningTest, TestOwner } from "./test-record.ts";

/** Minutes are folded in pieces of about so many blocks: nobody waits for an answer longer than one of them takes. */
const BLOCKS_AT_ONCE = 500;

/** What became of tests whose state was lost. */
export interface RebuiltTests extends TestOwner {
  readonly tests: readonly { readonly id: string; readonly guardrail: string; readonly why: string; readonly isRebuilt: boolean }[];
  /** Of which nothing is left but that they were there. */
  readonly unreadable: number;
}

/** @param again - as `beginAgain` gives them. @returns null where nothing was lost */
export function rebuiltOf(
  owner: TestOwner,
  { lost, unreadable }: { readonly lost: readonly LostTest[]; readonly unreadable: number },
  again: readonly RunningTest[],
): RebuiltTests | null {
  if (lost.length + unreadable === 0) return null;
  const tests = lost.map(({ test: { id, plan }, why }, i) => {
    const isRebuilt = again[i]?.state.hasEnded === false;
    return { id, guardrail: plan.guardrail, why, isRebuilt };
  });
  return { ...owner, tests, unreadable };
}

/** Lost tests as they begin again: with nothing counted yet, or ended where minutes don't tell what they counted. */
export function beginAgain(lost: readonly LostTest[], others: readonly RunningTest[]): readonly RunningTest[] {
  const ever = [...others, ...lost.map(({ test }) => test)];
  return lost.map(({ test }) =>
    isInMinutes(test.plan) && isNewest(test, ever) ? test : { ...test, state: { ...test.state, hasEnded: true } },
  );
}

/** Feeds tests that have begun with all the minutes that are recorded. @returns them by id; none where there are no minutes */
export async function foldRecorded(
  store: Store,
  { endpoint, release, armClass }: TestOwner,
  tests: readonly RunningTest[],
  favourable: ReadonlySet<string>,
): Promise<ReadonlyMap<string, FoldedTest>> {
  if (tests.length === 0) return new Map();
  const fold = new MinuteFold({ armClass, favourable, tests });
  let isAny = false;
  for await (const rows of readMinutesByDay(store.db, { endpoint, release }))
    for (const piece of piecesOf(rows, Math.ceil(BLOCKS_AT_ONCE / tests.length))) {
      isAny = true;
      fold.add(piece);
      await new Promise(setImmediate);
    }
  return isAny ? new Map(fold.tests.map((one) => [one.test.id, one])) : new Map();
}

function* piecesOf(rows: readonly MinuteRow[], minutes: number): Generator<readonly MinuteRow[]> {
  let from = 0;
  let counted = 0;
  for (let to = 1; to <= rows.length; to++) {
    if (to < rows.length && rows[to]?.minute === rows[to - 1]?.minute) continue;
    if (++counted < minutes && to < rows.length) continue;
    yield rows.slice(from, to);
    from = to;
    counted = 0;
  }
}

/** For the operator, in one line. */
export function rebuiltText({ endpoint, release, tests, unreadable }: RebuiltTests): string {
  const rebuilt = tests.filter(({ isRebuilt }) => isRebuilt).length;
  const ended = tests.length - rebuilt + unreadable;
  const why = tests[0]?.why ?? "nothing of them can be read";
  const parts = [
    ...(rebuilt > 0 ? [`${rebuilt} rebuilt from the recorded minutes`] : []),
    ...(ended > 0 ? [`${ended} ended; what is still declared starts anew from the reserve of the budget`] : []),
  ];
  return `${endpoint}: guardrail tests of release ${release} were lost (${why}): ${parts.join(", ")}`;
}

/** For the audit log: no groups. */
export const rebuiltPayload = ({ release, armClass, epoch, tests, unreadable }: RebuiltTests): Json => ({
  release,
  armClass,
  epoch,
  tests: tests.map((test) => ({ ...test })),
  unreadable,
});
