/** Blame for an incident: reads who was asked, has both releases (or their mixtures) score them again, and stores what the pure part finds. */
import type { Incident, Incidents, ReleaseInfo, Releases } from "../releases/index.ts";
import type { LoadDependencies, LoadedRelease, ReleaseBundle } from "../serving/index.ts";
import { checked } from "../checked.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import { canonicalJson, type Store } from "../store/index.ts";
import { only, readPeople, smallerSide, type AskedPeople } from "./asked-people.ts";
import { BlameReport, parseMixtures, type StoredBlame, type TrainedMixtures } from "./blame-report.ts";
import { composeReport, type ReportFacts } from "./compose-report.ts";
import { questionOf, type Question } from "./question.ts";
import { pause, scoreMixtures, scoresOf } from "./rescoring.ts";
import type { Scene } from "./scene.ts";
import { mostHarmed, type SlicePerson } from "./slices.ts";
import { tierOne, tierZero } from "./tiers.ts";

export interface BlameParts {
  readonly store: Store;
  readonly releases: Releases;
  readonly incidents: Incidents;
  readonly load: LoadDependencies;
}

/** Why there is no report; nothing was stored. */
export type BlameRefusal =
  | { readonly kind: "unknown-incident" }
  | { readonly kind: "cannot-blame"; readonly why: string }
  | { readonly kind: "invalid"; readonly issues: readonly Issue[] };

const parseReport = checked(BlameReport);

/** Everything that both tiers need of an incident. */
interface Case {
  readonly question: Question;
  readonly good: ReleaseInfo;
  readonly bad: ReleaseInfo;
  readonly loaded: { readonly good: LoadedRelease; readonly bad: LoadedRelease };
  readonly people: readonly AskedPeople[];
  readonly notReplayable: number;
  readonly scene: Scene;
  /** Why the releases don't say now what they said then; null where they do. */
  readonly notReproduced: string | null;
}

/** Fewer people than this on one side of the good release's own window make it useless: then both are asked about the bad one's. */
const OWN_WINDOW_MIN = 30;
/** More answers than this share that come out otherwise than recorded, and the release isn't the one that served. */
const CHANGED_MAX = 0.001;

/** Finds which step moved the harm of an incident. */
export class Blame {
  readonly #parts: BlameParts;

  constructor(parts: BlameParts) {
    this.#parts = parts;
  }

  /** The most thorough one first. */
  async reports(n: number): Promise<readonly StoredBlame[]> {
    const rows = await this.#parts.store.db
      .selectFrom("blame_report")
      .selectAll()
      .where("incident", "=", n)
      .orderBy("tier", "desc")
      .execute();
    return rows.map((row) => {
      const report = parseReport(JSON.parse(row.report_json));
      if (!report.ok) throw new Error(`the blame report of incident ${n} can't be read: ${JSON.stringify(report.error)}`);
      return { ...report.value, incident: n, madeAtMs: row.made_at_ms };
    });
  }

  /** From the recorded decisions alone: seconds, no training. Runs after every rollback. */
  tierZero(n: number): Promise<Result<StoredBlame, BlameRefusal>> {
    return this.#withCase(n, async (found) => {
      const result = await tierZero(found.scene, { pause });
      return ok(this.#compose(found, { tier: 0, result, notReproduced: found.notReproduced, merged: [], seeds: [], notes: [] }));
    });
  }

  /** Judges mixtures that somebody trained where the pipelines' files are. @param value - `TrainedMixtures`, not yet checked */
  async tierOne(n: number, value: unknown): Promise<Result<StoredBlame, BlameRefusal>> {
    const mixtures = parseMixtures(value);
    if (!mixtures.ok) return err({ kind: "invalid", issues: mixtures.error });
    return this.#withCase(n, (found) => this.#tierOne(found, mixtures.value));
  }

  async #tierOne(found: Case, mixtures: TrainedMixtures): Promise<Result<BlameReport, BlameRefusal>> {
    const { scene, loaded, people, good, bad } = found;
    if (!scene.differs.model) return err({ kind: "cannot-blame", why: "the two releases have the same model" });
    const { store, load } = this.#parts;
    const bySeed = await scoreMixtures({ store, load, ...loaded, people }, mixtures);
    if (!bySeed.ok) return err({ kind: "invalid", issues: bySeed.error });
    const trouble = unanswered([...bySeed.value.values()].flat());
    if (trouble !== null) return err({ kind: "cannot-blame", why: trouble });
    const { groups, hybrids } = mixtures;
    const isIdentical = {
      good: hybrids.some(({ mask, model }) => mask === 0 && model === servedModel(good.bundle)),
      bad: hybrids.some(({ mask, model }) => mask === 2 ** groups.length - 1 && model === servedModel(bad.bundle)),
    };
    const steps = groups.map(({ members }) => members.join("+"));
    const result = await tierOne(scene, { steps, bySeed: bySeed.value, isIdentical }, { pause });
    const merged = groups.flatMap(({ members, mergedBecause }) =>
      mergedBecause === null ? [] : [{ steps: [...members], because: mergedBecause }],
    );
    const notes = [
      ...result.notes,
      ...merged.map(({ steps: named, because }) => `${named.join(" and ")} can only change together: ${because}`),
    ];
    const notReproduced = found.notReproduced ?? result.notReproduced;
    return ok(this.#compose(found, { tier: 1, result, notReproduced, merged, seeds: [...bySeed.value.keys()], notes }));
  }

  #compose(found: Case, facts: Pick<ReportFacts, "tier" | "result" | "notReproduced" | "merged" | "seeds" | "notes">): BlameReport {
    const { question, good, bad, people, notReplayable } = found;
    return composeReport({
      ...facts,
      question,
      good: { id: good.id, number: good.number },
      bad: { id: bad.id, number: bad.number },
      people: { good: people[0]?.decisions.length ?? 0, bad: people.at(-1)?.decisions.length ?? 0, notReplayable },
      mostHarmed: mostHarmed(harmedIn(found)),
    });
  }

  async #withCase(
    n: number,
    work: (found: Case) => Promise<Result<BlameReport, BlameRefusal>>,
  ): Promise<Result<StoredBlame, BlameRefusal>> {
    const incident = await this.#parts.incidents.get(n);
    if (!incident) return err({ kind: "unknown-incident" });
    const loans: (() => void)[] = [];
    try {
      const found = await this.#case(incident, loans);
      if (!found.ok) return found;
      const report = await work(found.value);
      return report.ok ? ok(await this.#keep(n, report.value)) : report;
    } finally {
      for (const giveBack of loans) giveBack();
    }
  }

  /** Stores the report and tells the incident's timeline, in one transaction. A further report of a tier takes the former's place. */
  async #keep(n: number, report: BlameReport): Promise<StoredBlame> {
    const { store, incidents } = this.#parts;
    const madeAtMs = store.runtime.clock.nowMs();
    const row = { report_json: canonicalJson(report), made_at_ms: madeAtMs };
    await store.transaction(async (tx) => {
      await tx
        .insertInto("blame_report")
        .values({ incident: n, tier: report.tier, ...row })
        .onConflict((conflict) => conflict.columns(["incident", "tier"]).doUpdateSet(row))
        .execute();
      const { word, steps } = report.verdict;
      const text = `Blame, tier ${report.tier}: ${[...steps, word].join(", ")}`;
      const detail = { tier: report.tier, word, steps };
      await incidents.add(tx, n, { kind: "blamed", actor: { kind: "system", name: "blame" }, atMs: madeAtMs, text, detail });
    });
    return { ...report, incident: n, madeAtMs };
  }

  /** @param loans - gets what must be called when the case is done with */
  async #case({ endpoint, release, restored, body, openedAtMs }: Incident, loans: (() => void)[]): Promise<Result<Case, BlameRefusal>> {
    const { store, releases } = this.#parts;
    if (restored === null) return err({ kind: "cannot-blame", why: "no release was put back to compare with" });
    const asking = questionOf(body.breach);
    if (!asking.ok) return err({ kind: "cannot-blame", why: asking.error });
    const question = asking.value;
    const room = releases.room(endpoint);
    if (!room.ok) return err({ kind: "unknown-incident" });
    const [good, bad] = [room.value.info(restored), room.value.info(release)];
    // What belongs to a person's group and what to the model couldn't be told apart.
    if (good.bundle.policy.by || bad.bundle.policy.by)
      return err({ kind: "cannot-blame", why: "one of the two releases has thresholds by group, which blame can't share out" });
    const [lentGood, lentBad] = [await releases.lend(room.value, good), await releases.lend(room.value, bad)];
    for (const lent of [lentGood, lentBad]) if (lent.ok) loans.push(lent.value.giveBack);
    if (!lentGood.ok || !lentBad.ok) return err({ kind: "cannot-blame", why: "one of the two releases can't be loaded" });
    const loaded = { good: lentGood.value.release, bad: lentBad.value.release };

    // Both end when the incident was opened, so that a later tier is asked about the same people and never contradicts an earlier one.
    const toMs = openedAtMs + 1;
    const own = await readPeople(store.db, { endpoint, release: restored, toMs }, question);
    const theirs = await readPeople(store.db, { endpoint, release, fromMs: body.served.fromMs, toMs }, question);
    const windows = smallerSide(own) < OWN_WINDOW_MIN ? [theirs] : [own, theirs];
    const scores = { good: await scoresOf(loaded.good, windows), bad: await scoresOf(loaded.bad, windows) };
    const kept = windows.map(({ decisions }, w) =>
      decisions.flatMap((_, i) => (Number.isNaN(scores.good[w]?.[i]) || Number.isNaN(scores.bad[w]?.[i]) ? [] : [i])),
    );
    const people = windows.map((window, w) => only(window, kept[w] ?? []));
    if (people.some((window) => smallerSide(window) === 0))
      return err({ kind: "cannot-blame", why: "there is nobody on one side of the comparison" });
    const pick = (all: readonly Float64Array[]) => all.map((some, w) => Float64Array.from(kept[w] ?? [], (i) => some[i] ?? Number.NaN));
    const served = { good: pick(scores.good), bad: pick(scores.bad) };
    const scene: Scene = {
      windows: people.map(({ window }) => window),
      served,
      policies: { good: loaded.good.policy, bad: loaded.bad.policy },
      differs: {
        model: madeScores(good.bundle) !== madeScores(bad.bundle),
        threshold: canonicalJson(good.bundle.policy) !== canonicalJson(bad.bundle.policy),
      },
      limit: question.limit,
    };
    const notReplayable = windows.reduce((sum, { decisions }, w) => sum + decisions.length - (kept[w]?.length ?? 0), 0);
    return ok({ question, good, bad, loaded, people, notReplayable, scene, notReproduced: changedAnswers(scene, people) });
  }
}

/** Whether the bad release still says what it said: else it is not what served, or the log is not what was recorded. */
function changedAnswers({ served, policies }: Scene, people: readonly AskedPeople[]): string | null {
  const decisions = people.at(-1)?.decisions ?? [];
  const scores = served.bad.at(-1);
  const changed = decisions.filter(({ action }, i) => policies.bad.decide(scores?.[i] ?? 0, {}).action !== action).length;
  return changed > CHANGED_MAX * decisions.length
    ? `the bad release answers ${changed} of ${decisions.length} recorded applications otherwise than it did`
    : null;
}

/** A mixture that can't score somebody whom both releases could: its shares would be about other people. */
function unanswered(mixtures: readonly (readonly Float64Array[])[]): string | null {
  const missing = new Set(mixtures).values().reduce((most, scores) => {
    const mine = scores.reduce((sum, some) => sum + some.reduce((count, score) => count + (Number.isNaN(score) ? 1 : 0), 0), 0);
    return Math.max(most, mine);
  }, 0);
  return missing === 0 ? null : `a mixture has no score for ${missing} of the applicants whom both releases answer`;
}

/** The bad release's own applicants, each with whether the good one would have favoured them and the bad one didn't. */
function harmedIn({ people, scene: { policies, served } }: Case): readonly SlicePerson[] {
  const window = people.at(-1);
  const favours = (which: "good" | "bad", i: number) => policies[which].decide(served[which].at(-1)?.[i] ?? 0, {}).favourable;
  return (window?.groups ?? []).map((groups, i) => ({
    groups,
    isHarmed: favours("good", i) && !favours("bad", i),
    person: window?.window.people[i] ?? 0,
  }));
}

/** What makes a score: scorer and features; the policy is another player. */
const madeScores = ({ scorer, features }: ReleaseBundle) => canonicalJson({ scorer, features });
const servedModel = ({ scorer }: ReleaseBundle) => (scorer.kind === "onnx" ? scorer.model : null);
