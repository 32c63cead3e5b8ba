/** Blame for an incident: reads who was asked, has both releases (or their mixtures) score them again, and stores what the pure part finds. */
import type { Incidents, Releases, ReleaseInfo } from "../releases/index.ts";
import { FeatureSetSpec } from "../registry/index.ts";
import {
  ScorerError,
  compileFeatures,
  loadRelease,
  releaseIdOf,
  type LoadDependencies,
  type LoadedRelease,
  type ReleaseBundle,
} from "../serving/index.ts";
import { checked } from "../checked.ts";
import { assert, err, ok, type Issue, type Result } from "../std.ts";
import { canonicalJson, parseBlobId, type Store } from "../store/index.ts";
import { only, readPeople, smallerSide, type AskedPeople } from "./asked-people.ts";
import { BlameReport, parseMixtures, type StoredBlame } from "./blame-report.ts";
import { composeReport } from "./compose-report.ts";
import { questionOf, type Question } from "./question.ts";
import type { ModelScores, Scene } from "./scene.ts";
import { mostHarmed, type SlicePerson } from "./slices.ts";
import { tierOne, tierZero } from "./tiers.ts";

export interface BlameParts {
  readonly store: Store;
  readonly releases: Releases;
  readonly incidents: Incidents;
  readonly load: LoadDependencies;
}

export type BlameRefusal =
  | { readonly kind: "unknown-incident" }
  | { readonly kind: "cannot-blame"; readonly why: string }
  | { readonly kind: "invalid"; readonly issues: readonly Issue[] };

const parseReport = checked(BlameReport);
const parseFeatures = checked(FeatureSetSpec);

/** Everything that both tiers need of an incident. */
interface Case {
  readonly question: Question;
  readonly good: ReleaseInfo;
  readonly bad: ReleaseInfo;
  readonly loaded: { readonly good: LoadedRelease; readonly bad: LoadedRelease };
  readonly people: readonly AskedPeople[];
  readonly notReplayable: number;
  readonly scene: Scene;
  readonly giveBack: () => void;
}

/** Fewer people than this on one side of the good release's own window make it useless: then both are asked about the bad one's. */
const OWN_WINDOW_MIN = 30;

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
      if (!report.ok) throw new Error(`the blame report of incident ${n} can't be read`);
      return { ...report.value, incident: n, madeAtMs: row.made_at_ms };
    });
  }

  /** From the recorded decisions alone. */
  async tierZero(n: number): Promise<Result<StoredBlame, BlameRefusal>> {
    const found = await this.#case(n);
    if (!found.ok) return found;
    try {
      const result = await tierZero(found.value.scene);
      return ok(
        await this.#keep(n, this.#compose(found.value, { tier: 0, result, notReproduced: null, merged: [], seeds: [], notes: [] })),
      );
    } finally {
      found.value.giveBack();
    }
  }

  /** Judges mixtures that somebody trained where the pipelines' files are. @param value - `TrainedMixtures`, not yet checked */
  async tierOne(n: number, value: unknown): Promise<Result<StoredBlame, BlameRefusal>> {
    const mixtures = parseMixtures(value);
    if (!mixtures.ok) return err({ kind: "invalid", issues: mixtures.error });
    const found = await this.#case(n);
    if (!found.ok) return found;
    try {
      if (!found.value.scene.differs.model) return err({ kind: "cannot-blame", why: "the two releases have the same model" });
      const { groups, hybrids } = mixtures.value;
      const scored = new Map<string, ModelScores>();
      const bySeed = new Map<number, ModelScores[]>();
      for (const { mask, seed, model, featureSet } of hybrids) {
        const key = `${model} ${featureSet ?? ""}`;
        let scores = scored.get(key);
        if (!scores) {
          const made = await this.#scoresOf(found.value, model, featureSet);
          if (!made.ok) return made;
          scores = made.value;
          scored.set(key, scores);
        }
        const models = bySeed.get(seed) ?? [];
        models[mask] = scores;
        bySeed.set(seed, models);
      }
      const steps = groups.map(({ members }) => members.join(" and "));
      const served = (info: ReleaseInfo) => (info.bundle.scorer.kind === "onnx" ? info.bundle.scorer.model : null);
      const isIdentical = {
        good: hybrids.some(({ mask, model }) => mask === 0 && model === served(found.value.good)),
        bad: hybrids.some(({ mask, model }) => mask === 2 ** groups.length - 1 && model === served(found.value.bad)),
      };
      const result = await tierOne(found.value.scene, { steps, bySeed, isIdentical });
      const merged = groups.flatMap(({ members, mergedBecause }) =>
        mergedBecause === null ? [] : [{ steps: [...members], because: mergedBecause }],
      );
      return ok(
        await this.#keep(
          n,
          this.#compose(found.value, {
            tier: 1,
            result,
            notReproduced: result.notReproduced,
            merged,
            seeds: [...bySeed.keys()],
            notes: result.notes,
          }),
        ),
      );
    } finally {
      found.value.giveBack();
    }
  }

  #compose(
    found: Case,
    facts: Pick<Parameters<typeof composeReport>[0], "tier" | "result" | "notReproduced" | "merged" | "seeds" | "notes">,
  ): BlameReport {
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

  async #keep(n: number, report: BlameReport): Promise<StoredBlame> {
    const { store } = this.#parts;
    const madeAtMs = store.runtime.clock.nowMs();
    const row = { report_json: canonicalJson(report), made_at_ms: madeAtMs };
    await store.db
      .insertInto("blame_report")
      .values({ incident: n, tier: report.tier, ...row })
      .onConflict((conflict) => conflict.columns(["incident", "tier"]).doUpdateSet(row))
      .execute();
    return { ...report, incident: n, madeAtMs };
  }

  async #case(n: number): Promise<Result<Case, BlameRefusal>> {
    const { store, releases, incidents } = this.#parts;
    const incident = await incidents.get(n);
    if (!incident) return err({ kind: "unknown-incident" });
    const { endpoint, release, restored, body } = incident;
    if (restored === null) return err({ kind: "cannot-blame", why: "no release was put back to compare with" });
    const question = questionOf(body.breach);
    if (!question.ok) return err({ kind: "cannot-blame", why: question.error });
    const room = releases.room(endpoint);
    if (!room.ok) return err({ kind: "unknown-incident" });
    const [good, bad] = [room.value.info(restored), room.value.info(release)];
    const loans: (() => void)[] = [];
    const giveBack = () => {
      for (const end of loans.splice(0)) end();
    };
    const [lentGood, lentBad] = [await releases.lend(room.value, good), await releases.lend(room.value, bad)];
    for (const lent of [lentGood, lentBad]) if (lent.ok) loans.push(lent.value.giveBack);
    if (!lentGood.ok || !lentBad.ok) {
      giveBack();
      return err({ kind: "cannot-blame", why: "one of the two releases can't be loaded" });
    }
    const loaded = { good: lentGood.value.release, bad: lentBad.value.release };
    const asked = [
      await readPeople(store.db, { endpoint, release: restored }, question.value),
      await readPeople(store.db, { endpoint, release, fromMs: body.served.fromMs }, question.value),
    ];
    const windows = smallerSide(asked[0] ?? emptyPeople) < OWN_WINDOW_MIN ? asked.slice(1) : asked;
    const scoredGood = await scoresOf(loaded.good, windows);
    const scoredBad = await scoresOf(loaded.bad, windows);
    const kept = windows.map((people, w) =>
      people.decisions.flatMap((_, i) => (Number.isFinite(scoredGood[w]?.[i]) && Number.isFinite(scoredBad[w]?.[i]) ? [i] : [])),
    );
    const people = windows.map((window, w) => only(window, kept[w] ?? []));
    const pick = (scores: readonly Float64Array[]): ModelScores =>
      scores.map((all, w) => Float64Array.from(kept[w] ?? [], (i) => all[i] ?? Number.NaN));
    const notReplayable = windows.reduce((sum, { decisions }, w) => sum + decisions.length - (kept[w]?.length ?? 0), 0);
    if (smallerSide(people.at(-1) ?? emptyPeople) === 0) {
      giveBack();
      return err({ kind: "cannot-blame", why: "there is nobody on one side of the comparison" });
    }
    const differs = {
      model: modelOf(good.bundle) !== modelOf(bad.bundle),
      threshold: canonicalJson(good.bundle.policy) !== canonicalJson(bad.bundle.policy),
    };
    const servedGood = pick(scoredGood);
    const scene: Scene = {
      windows: people.map(({ window }) => window),
      served: { good: servedGood, bad: differs.model ? pick(scoredBad) : servedGood },
      policies: { good: loaded.good.policy, bad: loaded.bad.policy },
      differs,
      limit: question.value.limit,
    };
    return ok({ question: question.value, good, bad, loaded, people, notReplayable, scene, giveBack });
  }

  /** Has a mixture's model score the people of a case. */
  async #scoresOf(
    { bad, loaded, people }: Case,
    model: string,
    featureSet: string | undefined,
  ): Promise<Result<ModelScores, BlameRefusal>> {
    const { store, load } = this.#parts;
    const blob = parseBlobId(model);
    const setBlob = featureSet === undefined ? undefined : parseBlobId(featureSet);
    assert(blob, "the schema has checked the form");
    if (!(await store.blobs.has(blob)))
      return err({ kind: "invalid", issues: [{ path: "/hybrids", expected: "models in the blob store", got: model }] });
    const features = setBlob ? parseFeatures(JSON.parse((await store.blobs.get(setBlob)).toString("utf8"))) : ok(bad.bundle.features);
    if (!features.ok) return err({ kind: "invalid", issues: features.error });
    const { endpoint } = loaded.bad;
    const fits = compileFeatures(features.value, endpoint.variables);
    if (!fits.ok) return err({ kind: "invalid", issues: fits.error });
    const bundle: ReleaseBundle = {
      endpoint: endpoint.name,
      scorer: { kind: "onnx", model: blob },
      features: features.value,
      policy: bad.bundle.policy,
    };
    const mixture = await loadRelease({ id: releaseIdOf(bundle), number: 0, bundle, endpoint }, load);
    if (!mixture.ok) return err({ kind: "invalid", issues: mixture.error });
    try {
      return ok(await scoresOf(mixture.value, people));
    } finally {
      await mixture.value.close();
    }
  }
}

/** The bad release's own applicants, each with whether the good one would have favoured them and the bad one didn't. */
function harmedIn({ people, scene }: Case): readonly SlicePerson[] {
  const last = people.length - 1;
  const window = people[last];
  if (!window) return [];
  const favours = (which: "good" | "bad", i: number) => scene.policies[which].decide(scene.served[which][last]?.[i] ?? 0).favourable;
  return window.groups.map((groups, i) => ({
    groups,
    isHarmed: favours("good", i) && !favours("bad", i),
    person: window.window.people[i] ?? 0,
  }));
}

const emptyPeople: AskedPeople = { decisions: [], groups: [], window: { sides: new Int8Array(), people: new Uint32Array() } };

/** What makes a score: scorer and features; the policy is another player. */
const modelOf = ({ scorer, features }: ReleaseBundle) => canonicalJson({ scorer, features });

/** Scores of all people of all windows; NaN where the release has none. */
async function scoresOf(release: LoadedRelease, windows: readonly AskedPeople[]): Promise<readonly Float64Array[]> {
  const all: Float64Array[] = [];
  for (const { decisions } of windows) {
    const requests = decisions.map(({ payload }) => release.endpoint.parse(JSON.parse(payload)));
    const valid = requests.flatMap((request) => (request.ok ? [request.value.inputs] : []));
    const scored = await release.scorer.scoreMany(valid);
    let next = 0;
    all.push(
      Float64Array.from(requests, (request) => {
        const one = request.ok ? scored[next++] : undefined;
        return one === undefined || one instanceof ScorerError ? Number.NaN : one.score;
      }),
    );
  }
  return all;
}
