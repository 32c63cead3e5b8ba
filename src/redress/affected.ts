/** The people an incident touched: every decision of the harmful release that reached somebody, decided again by the restored one. */
import { setImmediate } from "node:timers/promises";
import { groupsOf, isReplayable, readDecisions, type RecordedDecision } from "../decisions/index.ts";
import type { Incidents, Releases } from "../releases/index.ts";
import { replay, type ReplayedAnswer } from "../serving/index.ts";
import { err, ok, type DecisionId, type Result } from "../std.ts";
import type { Store } from "../store/index.ts";
import { affectedClasses, casesOf, classify, type AffectedClass } from "./classes.ts";

export interface AffectedPerson {
  /** The decision that stands for the person. */
  readonly decision: DecisionId;
  readonly class: AffectedClass;
  readonly groups: Readonly<Record<string, string>>;
  readonly decidedAtMs: number;
  readonly before: { readonly action: string; readonly score: number | null };
  readonly after: { readonly action: string; readonly score: number | null } | null;
  /** Why it can't be replayed. */
  readonly reason: string | null;
}

export interface AffectedSummary {
  readonly incident: number;
  /** People, each once; their classes add up to it. */
  readonly total: number;
  readonly byClass: Readonly<Record<AffectedClass, number>>;
}

export interface RedressParts {
  readonly store: Store;
  readonly releases: Releases;
  readonly incidents: Incidents;
}

/** Why there is nobody to list. */
export type RedressRefusal =
  | { readonly kind: "unknown-incident" }
  | { readonly kind: "nothing-restored" }
  | { readonly kind: "cannot-replay"; readonly why: string };

/** Decisions that come meanwhile wait for as many to be read, or sorted into classes. */
const PAGE = 250;

export class Redress {
  readonly #parts: RedressParts;

  constructor(parts: RedressParts) {
    this.#parts = parts;
  }

  /**
   * Replays the incident's decisions and stores one case a person. The same incident gives the same cases; running it again while
   * nothing new was decided changes nothing.
   */
  async find(n: number): Promise<Result<AffectedSummary, RedressRefusal>> {
    const { store, releases, incidents } = this.#parts;
    const incident = await incidents.get(n);
    if (!incident) return err({ kind: "unknown-incident" });
    const { restored, endpoint, release, body } = incident;
    if (restored === null) return err({ kind: "nothing-restored" });
    const room = releases.room(endpoint);
    if (!room.ok) return err({ kind: "unknown-incident" });
    const lent = await releases.lend(room.value, room.value.info(restored));
    if (!lent.ok) return err({ kind: "cannot-replay", why: lent.error.kind });
    try {
      const decisions = (await this.#decisionsOf({ endpoint, release, fromMs: body.served.fromMs })).filter(
        ({ generation }) => generation >= body.served.fromGeneration,
      );
      const replayable = decisions.filter(isReplayable);
      const answers = new Map((await replay(lent.value.release, replayable)).map((answer) => [answer.id, answer]));
      // The better the band, the higher it begins: the policy itself ranks its actions.
      const actions = lent.value.release.bundle.policy.bands.toSorted((a, b) => b.from - a.from).map(({ action }) => action);
      const people = await peopleOf(decisions, answers, actions);
      await this.#store(n, people, store);
      return ok(
        summary(
          n,
          people.map((person) => person.class),
        ),
      );
    } finally {
      lent.value.giveBack();
    }
  }

  /**
   * Stored cases in order of class and time; undefined where `after` is none of them.
   * @param page.after - the decision of the last case of the page before
   */
  async list(
    n: number,
    page: { readonly limit: number; readonly after?: string },
  ): Promise<{ readonly people: readonly AffectedPerson[]; readonly next: string | null } | undefined> {
    const rows = await this.#parts.store.db
      .selectFrom("affected")
      .selectAll()
      .where("incident", "=", n)
      .where("class", "<>", "unchanged")
      .execute();
    const sorted = rows.toSorted(
      (a, b) => rank(a.class) - rank(b.class) || a.decided_at_ms - b.decided_at_ms || (a.decision < b.decision ? -1 : 1),
    );
    const from = page.after === undefined ? 0 : sorted.findIndex(({ decision }) => decision === page.after) + 1;
    if (page.after !== undefined && from === 0) return undefined;
    const chosen = sorted.slice(from, from + page.limit);
    const last = chosen.at(-1);
    return {
      people: chosen.map((row) => ({
        decision: asDecisionId(row.decision),
        class: asClass(row.class),
        groups: groupsOf(row.cell),
        decidedAtMs: row.decided_at_ms,
        before: { action: row.action_before, score: row.score_before },
        after: row.action_after === null ? null : { action: row.action_after, score: row.score_after },
        reason: row.reason,
      })),
      next: last && from + page.limit < sorted.length ? last.decision : null,
    };
  }

  /** Every case of an incident, whatever its class, by cell: for counts. Empty until somebody has looked. */
  async cases(n: number): Promise<
    readonly {
      readonly class: AffectedClass;
      readonly groups: Readonly<Record<string, string>>;
      readonly before: string;
      readonly after: string | null;
    }[]
  > {
    const rows = await this.#parts.store.db
      .selectFrom("affected")
      .select(["class", "cell", "action_before", "action_after"])
      .where("incident", "=", n)
      .execute();
    return rows.map((row) => ({
      class: asClass(row.class),
      groups: groupsOf(row.cell),
      before: row.action_before,
      after: row.action_after,
    }));
  }

  async summary(n: number): Promise<AffectedSummary> {
    return summary(
      n,
      (await this.cases(n)).map((one) => one.class),
    );
  }

  async #decisionsOf(
    filter: Pick<RecordedDecision, "endpoint" | "release"> & { readonly fromMs: number },
  ): Promise<readonly RecordedDecision[]> {
    const all: RecordedDecision[] = [];
    let after: number | undefined;
    for (;;) {
      const page = await readDecisions(this.#parts.store.db, filter, {
        first: "oldest",
        limit: PAGE,
        ...(after === undefined ? {} : { after }),
      });
      all.push(...page.decisions);
      if (page.next === null) return all;
      after = page.next;
    }
  }

  async #store(n: number, people: readonly StoredCase[], store: Store): Promise<void> {
    const write = async (tx: Parameters<Parameters<Store["transaction"]>[0]>[0]) => {
      await tx.deleteFrom("affected").where("incident", "=", n).execute();
      for (let at = 0; at < people.length; at += ROWS_AT_ONCE) {
        const rows = people.slice(at, at + ROWS_AT_ONCE).map(({ decision, class: found, answer }) => ({
          incident: n,
          decision: decision.id,
          subject: decision.subject,
          cell: decision.cell,
          class: found,
          action_before: decision.action,
          action_after: answer?.kind === "answered" ? answer.action : null,
          score_before: decision.score,
          score_after: answer?.kind === "answered" ? answer.score : null,
          reason: answer?.kind === "answered" ? null : (answer?.because ?? "the request was erased"),
          decided_at_ms: decision.decidedAtMs,
        }));
        await tx.insertInto("affected").values(rows).execute();
      }
    };
    // Thousands of people would take the room that the next rollback needs.
    await store.transaction(write, { reserve: false });
  }
}

/** Decisions wait for as many answers of the database as there are statements; one may have 32,766 values. */
const ROWS_AT_ONCE = 2000;

interface StoredCase {
  readonly decision: RecordedDecision;
  readonly class: AffectedClass;
  readonly answer: ReplayedAnswer | undefined;
}

async function peopleOf(
  decisions: readonly RecordedDecision[],
  answers: ReadonlyMap<DecisionId, ReplayedAnswer>,
  actions: readonly string[],
): Promise<readonly StoredCase[]> {
  const classified: StoredCase[] = [];
  for (const decision of decisions) {
    if (classified.length % PAGE === 0) await setImmediate();
    const answer = answers.get(decision.id);
    classified.push({ decision, answer, class: classify(decision, answer?.kind === "answered" ? answer : null, actions) });
  }
  const cases = casesOf(
    classified.map(({ decision, class: found }) => ({
      decision: decision.id,
      subject: decision.subject,
      class: found,
      decidedAtMs: decision.decidedAtMs,
    })),
  );
  return classified.filter(({ decision }) => cases.has(decision.id));
}

function summary(incident: number, classes: readonly AffectedClass[]): AffectedSummary {
  const count = (one: AffectedClass) => classes.filter((each) => each === one).length;
  const byClass = {
    harmed: count("harmed"),
    worse_terms: count("worse_terms"),
    reason_changed: count("reason_changed"),
    benefited: count("benefited"),
    not_replayable: count("not_replayable"),
    unchanged: count("unchanged"),
  };
  return { incident, total: classes.length, byClass };
}

const rank = (text: string) => affectedClasses.indexOf(asClass(text));
/** Only `find` writes the column, from these classes. */
const asClass = (text: string): AffectedClass => affectedClasses.find((one) => one === text) ?? "unchanged";
/** Only `find` writes the column, from decisions. */
const asDecisionId = (text: string): DecisionId => text as DecisionId;
