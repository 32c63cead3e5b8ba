/**
 * The people that a decision is compared with: some whom its release approved. They are kept as ids of recorded decisions, never as a
 * copy of what those say, so that whoever is erased is gone from here too.
 */
import { checked } from "../checked.ts";
import { Type } from "typebox";
import { groupsOf, readDecisions, readForReplay, recentForReplay, type ReplayableDecision, isReplayable } from "../decisions/index.ts";
import { ScorerError, answerOf, type Inputs, type LoadedRelease, type RowValue, type ScorerRows } from "../serving/index.ts";
import { err, ok, type DecisionId, type Result } from "../std.ts";
import { canonicalJson, contentId, type Store } from "../store/index.ts";
import { personNumber } from "./bootstrap.ts";

export type ReferenceSource = "approved" | "approved_on_replay";

/** A population, ready to be compared with. */
export interface Reference {
  readonly id: string;
  readonly source: ReferenceSource;
  readonly rows: readonly (readonly RowValue[])[];
  /** Of the release, for each row. */
  readonly scores: Float64Array;
}

/** Too few to compare with. */
export interface TooFew {
  readonly needed: number;
  readonly there: number;
}

const PEOPLE = 100;
const PEOPLE_LEAST = 30;
/** Approved people that are drawn from: the first of the release's life, so that the draw doesn't move with time. */
const DRAWN_FROM = 1000;
/** Recorded people that the release is asked about while it has approved too few itself. */
const ASKED = 500;
const PAGE = 250;

interface Drawn {
  readonly id: string;
  readonly source: ReferenceSource;
  readonly people: readonly ReplayableDecision[];
}

/**
 * The reference of a release. One of 100 people whom it approved is kept for good and drawn again only when somebody in it was erased;
 * before there are as many, it is drawn each time, from all that there are. A release that approved fewer than 30 is asked about the
 * endpoint's latest people, and those are taken whom it would approve.
 * @throws ScorerError when the release doesn't answer
 */
export async function referenceOf(store: Store, release: LoadedRelease, rows: ScorerRows): Promise<Result<Reference, TooFew>> {
  const frozen = await readFrozen(store, release);
  const known = frozen && (await withRows(frozen, release, rows));
  if (known && known.rows.length === PEOPLE) return ok(known);
  const own = draw(await approvedBy(store, release));
  const source = own.length >= PEOPLE_LEAST ? "approved" : "approved_on_replay";
  const people = source === "approved" ? own : draw(await approvedOnReplay(store, release));
  if (people.length < PEOPLE_LEAST) return err({ needed: PEOPLE_LEAST, there: people.length });
  const decisions = people.map(({ id }) => id);
  const id = contentId<"Reference">("ref", { release: release.id, source, decisions });
  const reference = await withRows({ id, source, people }, release, rows);
  if (reference.rows.length < PEOPLE_LEAST) return err({ needed: PEOPLE_LEAST, there: reference.rows.length });
  await store.db
    .insertInto("reason_reference")
    .values({
      id,
      endpoint: release.endpoint.name,
      release: release.id,
      source,
      decisions_json: canonicalJson(decisions),
      frozen: source === "approved" && reference.rows.length === PEOPLE ? 1 : 0,
      drawn_at_ms: store.runtime.clock.nowMs(),
    })
    .onConflict((conflict) => conflict.column("id").doNothing())
    .execute();
  return ok(reference);
}

const parseDecisions = checked(Type.Array(Type.String()));

async function readFrozen({ db }: Store, { id, endpoint }: LoadedRelease): Promise<Drawn | undefined> {
  const row = await db
    .selectFrom("reason_reference")
    .selectAll()
    .where("endpoint", "=", endpoint.name)
    .where("release", "=", id)
    .where("frozen", "=", 1)
    .orderBy("drawn_at_ms", "desc")
    .orderBy("id")
    .limit(1)
    .executeTakeFirst();
  if (!row) return undefined;
  const decisions = parseDecisions(JSON.parse(row.decisions_json));
  if (!decisions.ok) throw new Error(`the reference ${row.id} can't be read: ${JSON.stringify(decisions.error)}`);
  // Only full ones of the release's own approved are frozen.
  return { id: row.id, source: "approved", people: await readForReplay(db, decisions.value.map(asDecisionId)) };
}

/** Counted decisions: one a person and day, and none of those who only try a release. */
async function approvedBy({ db }: Store, { id, endpoint }: LoadedRelease): Promise<readonly ReplayableDecision[]> {
  const found: ReplayableDecision[] = [];
  let after: number | undefined;
  while (found.length < DRAWN_FROM) {
    const page = await readDecisions(
      db,
      { endpoint: endpoint.name, release: id, favourable: true, counted: true },
      { first: "oldest", limit: PAGE, ...(after === undefined ? {} : { after }) },
    );
    found.push(...page.decisions.filter(isReplayable));
    if (page.next === null) break;
    after = page.next;
  }
  return found.slice(0, DRAWN_FROM);
}

async function approvedOnReplay({ db }: Store, release: LoadedRelease): Promise<readonly ReplayableDecision[]> {
  const recent = await recentForReplay(db, release.endpoint.name, { limit: ASKED });
  const asked = recent
    .filter(({ counted }) => counted)
    .flatMap((decision) => {
      const inputs = inputsIn(release, decision);
      return inputs ? [{ decision, inputs }] : [];
    });
  const scored = await release.scorer.scoreMany(asked.map(({ inputs }) => inputs));
  return asked.flatMap(({ decision }, i) => {
    const one = scored[i];
    return one && !(one instanceof ScorerError) && answerOf(release, one, groupsOf(decision.cell)).favourable ? [decision] : [];
  });
}

/** Depends on the ids only: the same people give the same draw, wherever and whenever. */
function draw(people: readonly ReplayableDecision[]): readonly ReplayableDecision[] {
  const numbered = people.map((decision) => ({ decision, number: personNumber(decision.id) }));
  return numbered
    .toSorted((a, b) => a.number - b.number || (a.decision.id < b.decision.id ? -1 : 1))
    .slice(0, PEOPLE)
    .map(({ decision }) => decision);
}

/** People whom the endpoint, or the feature set, no longer takes are left out. */
async function withRows({ id, source, people }: Drawn, release: LoadedRelease, { rowOf, score }: ScorerRows): Promise<Reference> {
  const rows = people.flatMap((decision) => {
    const inputs = inputsIn(release, decision);
    if (!inputs) return [];
    try {
      return [rowOf(inputs)];
    } catch (error) {
      if (error instanceof ScorerError && error.trouble === "not-computable") return [];
      throw error;
    }
  });
  return { id, source, rows, scores: rows.length > 0 ? await score(rows) : new Float64Array() };
}

/** What was asked, where the endpoint still takes it. */
export function inputsIn(release: LoadedRelease, { payload }: { readonly payload: string }): Inputs | undefined {
  const request = release.endpoint.parse(JSON.parse(payload));
  return request.ok ? request.value.inputs : undefined;
}

/** The table holds ids of the log. */
const asDecisionId = (id: string): DecisionId => id as DecisionId;
