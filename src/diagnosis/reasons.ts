/** Principal reasons of recorded decisions: found by the release that answered, from what was recorded, and kept as they were first told. */
import { checked } from "../checked.ts";
import { isReplayable, readDecision, type RecordedDecision } from "../decisions/index.ts";
import type { ReleaseRefusal, Releases } from "../releases/index.ts";
import {
  type Attributor,
  ScorerError,
  blobOf,
  storedModel,
  sampledAttribution,
  type LoadedRelease,
  type RowValue,
  type ScorerRows,
} from "../serving/index.ts";
import { err, ok, type DecisionId, type ReleaseId, type Result } from "../std.ts";
import { canonicalJson, type Store } from "../store/index.ts";
import { personNumber } from "./bootstrap.ts";
import { byRules, composed, valuesIn, type Found } from "./compose-reasons.ts";
import { inputsIn, referenceOf, type Reference, type TooFew } from "./reason-reference.ts";
import { ReasonsReport } from "./reasons-report.ts";

/** Why there are no reasons. Nothing was stored. */
export type ReasonsRefusal =
  | { readonly kind: "unknown-decision" }
  /** The person was erased before anybody asked. */
  | { readonly kind: "erased" }
  | { readonly kind: "no-longer-taken" }
  | ({ readonly kind: "too-few" } & TooFew)
  /** The model says something else now than was recorded: reasons would be about another score. */
  | { readonly kind: "not-reproduced"; readonly recorded: number | null; readonly now: number }
  /** The scorer takes no rows that two people's could be mixed in. */
  | { readonly kind: "not-explainable" }
  | { readonly kind: "scorer"; readonly message: string }
  | { readonly kind: "release"; readonly refusal: ReleaseRefusal }
  | { readonly kind: "busy" };

export interface ReasonsParts {
  readonly store: Store;
  readonly releases: Releases;
  /** File of a model's blob. */
  readonly attributor: Pick<Attributor, "attribute">;
}

/** Explained at once; each may ask its model about thousands of rows. */
const AT_ONCE = 2;
const WAITING_MOST = 64;
/** A reference is read again after this, so that nobody who was erased is in it for longer. */
const REFERENCE_KEPT_US = 30_000_000;
const REFERENCES_KEPT = 16;
/** Models count in 32-bit numbers. */
const SAME_SCORE = 1e-5;

const parseReport = checked(ReasonsReport);

interface Known {
  readonly reference: Promise<Result<Reference, TooFew>>;
  readonly readAtUs: number;
}

export class Reasons {
  readonly #parts: ReasonsParts;
  readonly #references = new Map<ReleaseId, Known>();
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;
  readonly #finding = new Set<Promise<unknown>>();

  constructor(parts: ReasonsParts) {
    this.#parts = parts;
  }

  /**
   * The reasons of a decision: those that were told first, or found now and kept. The same decision has the same reasons for ever,
   * also after its person was erased.
   */
  of(endpoint: string, id: DecisionId): Promise<Result<ReasonsReport, ReasonsRefusal>> {
    const finding = this.#of(endpoint, id).finally(() => this.#finding.delete(finding));
    this.#finding.add(finding);
    return finding;
  }

  /** Resolves when nothing is being found, whether or not somebody still waits for it. */
  async settled(): Promise<void> {
    while (this.#finding.size > 0) await Promise.allSettled(this.#finding);
  }

  async #of(endpoint: string, id: DecisionId): Promise<Result<ReasonsReport, ReasonsRefusal>> {
    const stored = await this.#stored(id);
    const decision = await readDecision(this.#parts.store.db, id);
    if (!decision || decision.endpoint !== endpoint) return err({ kind: "unknown-decision" });
    if (stored) return ok(stored);
    const room = this.#parts.releases.room(endpoint);
    if (!room.ok) return err({ kind: "release", refusal: room.error });
    const info = this.#parts.releases.find(room.value, decision.release);
    if (!info.ok) return err({ kind: "release", refusal: info.error });
    if (info.value.bundle.scorer.kind === "rules") return ok(byRules(decision));
    if (!isReplayable(decision)) return err({ kind: "erased" });
    if (this.#waiting.length >= WAITING_MOST) return err({ kind: "busy" });
    if (this.#underWay >= AT_ONCE) await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    else this.#underWay++;
    try {
      const lent = await this.#parts.releases.lend(room.value, info.value);
      if (!lent.ok) return err({ kind: "release", refusal: lent.error });
      try {
        const found = await this.#explain(decision, lent.value.release);
        return found.ok ? ok(await this.#store(found.value)) : found;
      } finally {
        lent.value.giveBack();
      }
    } catch (error) {
      if (error instanceof ScorerError) return err({ kind: "scorer", message: error.message });
      throw error;
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#underWay--;
    }
  }

  /** What a person's inputs, and what is computed of them, are for the features of reasons; for those who may see inputs. */
  async valuesOf(endpoint: string, id: DecisionId, report: ReasonsReport): Promise<Readonly<Record<string, RowValue>> | null> {
    const decision = await readDecision(this.#parts.store.db, id);
    if (!decision || !isReplayable(decision)) return null;
    const body: unknown = JSON.parse(decision.payload);
    const room = this.#parts.releases.room(endpoint);
    const info = room.ok ? room.value.releases.get(decision.release) : undefined;
    const request = room.ok ? room.value.definition.compiled.parse(body) : undefined;
    if (!info || !request?.ok) return null;
    const named = new Set(report.reasons.flatMap(({ features }) => features));
    return valuesIn(info.bundle.features.features, request.value.inputs, named);
  }

  async #explain(decision: RecordedDecision & { payload: string }, release: LoadedRelease): Promise<Result<ReasonsReport, ReasonsRefusal>> {
    const { rows } = release.scorer;
    if (!rows) return err({ kind: "not-explainable" });
    const inputs = inputsIn(release, decision);
    if (!inputs) return err({ kind: "no-longer-taken" });
    const person = rows.rowOf(inputs);
    const [score = Number.NaN] = await rows.score([person]);
    if (decision.score === null || Math.abs(score - decision.score) > SAME_SCORE)
      return err({ kind: "not-reproduced", recorded: decision.score, now: score });
    const reference = await this.#reference(release, rows);
    if (!reference.ok) return err({ kind: "too-few", ...reference.error });
    const found = (await this.#exact(release, person, score, reference.value)) ?? (await sampled(decision, rows, person, reference.value));
    return ok(composed(decision, release, rows, reference.value, found));
  }

  #reference(release: LoadedRelease, rows: ScorerRows): Promise<Result<Reference, TooFew>> {
    const nowUs = this.#parts.store.runtime.clock.monotonicUs();
    const known = this.#references.get(release.id);
    if (known && nowUs - known.readAtUs < REFERENCE_KEPT_US) return known.reference;
    const reference = referenceOf(this.#parts.store, release, rows);
    this.#references.delete(release.id);
    this.#references.set(release.id, { reference, readAtUs: nowUs });
    for (const oldest of this.#references.keys()) {
      if (this.#references.size <= REFERENCES_KEPT) break;
      this.#references.delete(oldest);
    }
    const forget = () => {
      if (this.#references.get(release.id)?.reference === reference) this.#references.delete(release.id);
    };
    // Too few now may be enough in a moment.
    reference.then((made) => made.ok || forget(), forget);
    return reference;
  }

  /** Undefined where the model's file can't be read as a sum, or where the sums that were read aren't the model's scores. */
  async #exact(release: LoadedRelease, person: readonly RowValue[], score: number, reference: Reference): Promise<Found | undefined> {
    const { scorer } = release.bundle;
    if (scorer.kind !== "onnx") return undefined;
    const stored = await storedModel(this.#parts.store.blobs, blobOf(scorer));
    if (!stored.ok) return undefined;
    const found = await this.#parts.attributor.attribute({
      path: stored.value.files.model.path,
      width: person.length,
      ...(scorer.output === undefined ? {} : { output: scorer.output }),
      ...(scorer.column === undefined ? {} : { column: scorer.column }),
      ...(scorer.class === undefined ? {} : { class: scorer.class }),
      person: Float64Array.from(person, Number),
      reference: Float64Array.from(reference.rows.flat(), Number),
    });
    if (!found || !isNear(found.score, score)) return undefined;
    if (!found.referenceScores.every((each, i) => isNear(each, reference.scores[i] ?? Number.NaN))) return undefined;
    return {
      method: found.method,
      scale: found.scale,
      contributions: found.contributions,
      standardErrors: null,
      from: found.referenceMean,
      to: found.sum,
      people: reference.rows.length,
    };
  }

  async #stored(id: DecisionId): Promise<ReasonsReport | undefined> {
    const row = await this.#parts.store.db.selectFrom("decision_reasons").select("body_json").where("decision", "=", id).executeTakeFirst();
    if (!row) return undefined;
    const report = parseReport(JSON.parse(row.body_json));
    if (!report.ok) throw new Error(`the reasons of decision ${id} can't be read: ${JSON.stringify(report.error)}`);
    return report.value;
  }

  /** Whoever was first has told them: those stay. */
  async #store(report: ReasonsReport): Promise<ReasonsReport> {
    const { db, runtime } = this.#parts.store;
    await db
      .insertInto("decision_reasons")
      .values({ decision: report.decision, body_json: canonicalJson(report), computed_at_ms: runtime.clock.nowMs() })
      .onConflict((conflict) => conflict.column("decision").doNothing())
      .execute();
    return (await this.#stored(asDecisionId(report.decision))) ?? report;
  }
}

const isNear = (a: number, b: number): boolean => Math.abs(a - b) <= SAME_SCORE;

async function sampled(decision: RecordedDecision, rows: ScorerRows, person: readonly RowValue[], reference: Reference): Promise<Found> {
  const found = await sampledAttribution({
    person,
    references: reference.rows,
    score: (asked) => rows.score(asked),
    seed: personNumber(decision.id),
  });
  const { contributions, standardErrors, score, referenceMean, referencesUsed } = found;
  return { method: "sampled", scale: "score", contributions, standardErrors, from: referenceMean, to: score, people: referencesUsed };
}

/** Reports are made of decisions of the log. */
const asDecisionId = (id: string): DecisionId => id as DecisionId;
