/** The people that both releases are asked about: recorded decisions, in two windows, one for each release's own applicants. */
import { groupsOf, isReplayable, readDecisions, type DecisionFilter, type ReplayableDecision } from "../decisions/index.ts";
import type { Store } from "../store/index.ts";
import { personNumber, type Window } from "./bootstrap.ts";
import { sideNumber, type Question } from "./question.ts";

/** One window: decisions, and who they are about. */
export interface AskedPeople {
  readonly decisions: readonly ReplayableDecision[];
  readonly groups: readonly Readonly<Record<string, string>>[];
  readonly window: Window;
}

/** More people than this would make intervals narrower by less than a tenth of a point each. */
const PEOPLE_MAX = 10_000;
/** Rows looked through for one window. */
const ROWS_MAX = 200_000;
const PAGE = 1000;

/**
 * Counted decisions (one a person and day) whose request is still there. Where there are too many, a draw that depends on the
 * decisions' ids only, from the whole of the time and not just its end.
 */
export async function readPeople(db: Store["db"], filter: DecisionFilter, question: Question): Promise<AskedPeople> {
  const found: ReplayableDecision[] = [];
  let after: number | undefined;
  for (let rows = 0; rows < ROWS_MAX; rows += PAGE) {
    const page = await readDecisions(db, { ...filter, counted: true }, { limit: PAGE, ...(after === undefined ? {} : { after }) });
    found.push(...page.decisions.filter(isReplayable));
    if (page.next === null) break;
    after = page.next;
  }
  return peopleOf(drawn(found), question);
}

function drawn(decisions: readonly ReplayableDecision[]): readonly ReplayableDecision[] {
  if (decisions.length <= PEOPLE_MAX) return decisions;
  const numbered = decisions.map((decision) => ({ decision, number: personNumber(decision.id) }));
  return numbered
    .toSorted((a, b) => a.number - b.number)
    .slice(0, PEOPLE_MAX)
    .map(({ decision }) => decision);
}

export function peopleOf(decisions: readonly ReplayableDecision[], question: Question): AskedPeople {
  const groups = decisions.map(({ cell }) => groupsOf(cell));
  return {
    decisions,
    groups,
    window: {
      sides: Int8Array.from(groups, (mine) => sideNumber(question, mine)),
      people: Uint32Array.from(decisions, ({ subject, id }) => personNumber(subject ?? id)),
    },
  };
}

/** The people at these places. */
export function only({ decisions, groups, window }: AskedPeople, places: readonly number[]): AskedPeople {
  return {
    decisions: places.flatMap((i) => decisions[i] ?? []),
    groups: places.flatMap((i) => (groups[i] ? [groups[i]] : [])),
    window: {
      sides: Int8Array.from(places, (i) => window.sides[i] ?? -1),
      people: Uint32Array.from(places, (i) => window.people[i] ?? 0),
    },
  };
}

/** People on the smaller side. */
export function smallerSide({ window: { sides } }: AskedPeople): number {
  let [harmed, reference] = [0, 0];
  for (const side of sides) {
    if (side === 1) harmed++;
    else if (side === 0) reference++;
  }
  return Math.min(harmed, reference);
}
