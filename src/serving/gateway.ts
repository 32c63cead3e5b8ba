/** Answers requests for decisions: routes, scores, falls back, records, replies. */
import { LogOverloaded, type AnsweredBy, type DecisionLog, type DecisionRecord, type StoredReply } from "../decisions/index.ts";
import { assert, err, ok, type DecisionId, type EndpointName, type Issue, type ReleaseId, type Result } from "../std.ts";
import type { Runtime } from "../store/index.ts";
import type { DecisionRequest } from "./inputs.ts";
import { answerOf, type Answer, type LoadedRelease } from "./loaded-release.ts";
import { RouteTable, type Candidate, type RouteView } from "./route-view.ts";
import { ScorerError, type ScorerTrouble } from "./scorer.ts";
import { Shadows, type ShadowStats } from "./shadows.ts";
import { isInCanary, subjectHash, type SubjectHash } from "./subjects.ts";

/** What the gateway is told of a request besides its parsed body. */
export interface RequestMeta {
  /** The body as text, as it was received. */
  readonly payload: string;
  /** Id of the token that sent it. */
  readonly source: string;
  readonly idempotencyKey: string | null;
  readonly bodyHash: string | null;
  /** When it arrived, on the runtime's monotonic clock; now, if left out. Deadlines count from here. */
  readonly receivedAtUs?: number;
}

/** What the application gets. */
export interface DecisionReply {
  readonly id: DecisionId;
  readonly action: string;
  readonly score: number | null;
  readonly reasons: readonly string[];
  /** Number within the endpoint: `r3`. */
  readonly release: string;
  readonly generation: number;
  readonly route: AnsweredBy;
  /** ISO 8601, UTC. */
  readonly decidedAt: string;
}

/** Why there is no reply. Nothing was recorded, unless `isRecorded`. */
export type DecisionRefusal =
  | { readonly kind: "unknown-endpoint" }
  | { readonly kind: "invalid"; readonly issues: readonly Issue[] }
  /** More is under way than can be answered in time. */
  | { readonly kind: "overloaded" }
  /** The idempotency key was used with another body. */
  | { readonly kind: "key-reused" }
  /** The answer would come later than anybody waits. `isRecorded`: asking again with the same key gives it. */
  | { readonly kind: "too-late"; readonly isRecorded: boolean }
  /** No release in line had an answer, the fallback neither. */
  | { readonly kind: "no-answer"; readonly because: string };

/** A reply, and whether it is a fresh one. */
export interface Decided {
  readonly reply: DecisionReply;
  /** It was given before, under the same idempotency key. */
  readonly isReplay: boolean;
}

/** A release failed three times within ten seconds. */
export interface ReleaseTrouble {
  readonly endpoint: EndpointName;
  readonly release: ReleaseId;
  readonly trouble: ScorerTrouble;
  readonly message: string;
  readonly failures: number;
}

/** What a gateway needs, and the limits it keeps. */
export interface GatewayOptions {
  readonly log: Pick<DecisionLog, "append" | "appendShadow">;
  readonly runtime: Runtime;
  /** Secret for the hashes of subjects, at least 32 bytes; the same for all gateways and for ever. */
  readonly subjectKey: Uint8Array;
  /** Time for all scorers of a decision together. Default 500. */
  readonly deadlineMs?: number;
  /** Time for one scorer. Default 200. */
  readonly scorerTimeoutMs?: number;
  /** Answers that would come later are refused. Default 2,000. */
  readonly lateMs?: number;
  /** Decisions under way at most. Default 2,000. */
  readonly maxInFlight?: number;
  /** Shadow answers that wait at most. Default 2,000. */
  readonly maxShadows?: number;
  /** Told at most every ten seconds for a release. */
  readonly onTrouble?: (trouble: ReleaseTrouble) => void;
}

/** Counts since the gateway was made; `inFlight` and queues are of now. */
export interface GatewayStats {
  readonly inFlight: number;
  readonly decided: number;
  readonly unanswered: number;
  /** Decisions that another release answered than the planned one. */
  readonly fellBack: number;
  readonly shadows: ShadowStats;
}

/** Valid requests of one endpoint since the gateway was made. */
export interface RequestCounts {
  readonly answered: number;
  /** Refused as too many, too late or beyond every release, or failed in the log. A reused key or a wrong body is the caller's. */
  readonly unanswered: number;
}

const TROUBLE_FAILURES = 3;
const TROUBLE_WITHIN_US = 10_000_000;
/** Even when all time is spent, the last in line gets this much: mostly it is a rule, which needs none. */
const LAST_CHANCE_MS = 20;

/** The hot path of one process: one gateway for all of its endpoints. */
export class Gateway {
  readonly #options: Required<Omit<GatewayOptions, "onTrouble">> & Pick<GatewayOptions, "onTrouble">;
  readonly #tables = new Map<string, RouteTable>();
  readonly #shadows: Shadows;
  readonly #subjectHash: SubjectHash;
  readonly #failures = new Map<ReleaseId, { sinceUs: number; count: number }>();
  readonly #counts = new Map<string, { answered: number; unanswered: number }>();
  #inFlight = 0;
  #fellBack = 0;

  constructor(options: GatewayOptions) {
    this.#options = { deadlineMs: 500, scorerTimeoutMs: 200, lateMs: 2000, maxInFlight: 2000, maxShadows: 2000, ...options };
    this.#subjectHash = subjectHash(options.subjectKey);
    this.#shadows = new Shadows({
      log: options.log,
      clock: options.runtime.clock,
      maxQueued: this.#options.maxShadows,
      onFailure: (release, error) => this.#noteFailure(release, error),
    });
  }

  /**
   * Puts a route table in force, at once and for every request that begins from now on. Resolves when all requests that began under
   * the table before have been answered: nobody is decided on by it after that.
   */
  swap(view: RouteView): Promise<void> {
    const { name } = view.endpoint;
    const before = this.#tables.get(name);
    assert(!before || before.view.generation <= view.generation, `generation ${view.generation} of ${name} is older than what is in force`);
    this.#tables.set(name, new RouteTable(view));
    return before?.drained() ?? Promise.resolve();
  }

  /** Stops answering for an endpoint. Resolves when its requests have been answered. */
  remove(endpoint: EndpointName): Promise<void> {
    const before = this.#tables.get(endpoint);
    this.#tables.delete(endpoint);
    return before?.drained() ?? Promise.resolve();
  }

  /** The table in force. */
  view(endpoint: string): RouteView | undefined {
    return this.#tables.get(endpoint)?.view;
  }

  /** How many requests of an endpoint were answered, and how many were not. */
  counts(endpoint: string): RequestCounts {
    return { ...this.#countsOf(endpoint) };
  }
  #countsOf(endpoint: string): { answered: number; unanswered: number } {
    const counts = this.#counts.get(endpoint) ?? { answered: 0, unanswered: 0 };
    this.#counts.set(endpoint, counts);
    return counts;
  }

  stats(): GatewayStats {
    const all = [...this.#counts.values()];
    return {
      inFlight: this.#inFlight,
      decided: all.reduce((sum, { answered }) => sum + answered, 0),
      unanswered: all.reduce((sum, { unanswered }) => sum + unanswered, 0),
      fellBack: this.#fellBack,
      shadows: this.#shadows.stats(),
    };
  }

  /** Resolves when nothing is under way, shadows included. */
  async idle(): Promise<void> {
    for (const table of this.#tables.values()) await table.drained();
    await this.#shadows.idle();
  }

  /**
   * Decides on one request. Replies once the decision is recorded as the log promises.
   * @param body - parsed JSON, of which nothing is believed yet
   * @throws StorageError when the log can't record it
   */
  async decide(endpoint: string, body: unknown, meta: RequestMeta): Promise<Result<Decided, DecisionRefusal>> {
    const table = this.#tables.get(endpoint);
    if (!table) return err({ kind: "unknown-endpoint" });
    const counts = this.#countsOf(endpoint);
    if (this.#inFlight >= this.#options.maxInFlight) {
      counts.unanswered++;
      return err({ kind: "overloaded" });
    }
    const request = table.view.endpoint.parse(body);
    if (!request.ok) return err({ kind: "invalid", issues: request.error });
    this.#inFlight++;
    table.enter();
    try {
      const decided = await this.#decideOn(table, request.value, meta);
      if (decided.ok) counts.answered++;
      else if (decided.error.kind !== "key-reused") counts.unanswered++;
      return decided;
    } catch (error) {
      counts.unanswered++;
      if (error instanceof LogOverloaded) return err({ kind: "overloaded" });
      throw error;
    } finally {
      table.leave();
      this.#inFlight--;
    }
  }

  async #decideOn(table: RouteTable, request: DecisionRequest, meta: RequestMeta): Promise<Result<Decided, DecisionRefusal>> {
    const { log, runtime, lateMs, maxInFlight } = this.#options;
    const { clock } = runtime;
    const { view } = table;
    const startedUs = meta.receivedAtUs ?? clock.monotonicUs();
    const id = runtime.ids.decision();
    const subject = request.subject === null ? null : this.#subjectHash(request.subject);
    // An id's last twelve digits are random; people without a name are drawn anew each time.
    const { canary } = view;
    const isCanary = canary !== null && isInCanary(subject ?? id.slice(-12), canary.release.id, canary.share);
    const order = isCanary ? table.canaryOrder : table.liveOrder;

    const answered = await this.#firstAnswer(order, request, startedUs);
    if (!answered.ok) return answered;
    const { answer, candidate, because } = answered.value;
    const decidedAtMs = clock.nowMs();
    const latencyUs = clock.monotonicUs() - startedUs;
    if (latencyUs > lateMs * 1000) return err({ kind: "too-late", isRecorded: false });
    const isPlanned = because === null;
    if (!isPlanned) this.#fellBack++;
    const record: DecisionRecord = {
      id,
      endpoint: view.endpoint.name,
      release: candidate.release.id,
      arm: isPlanned ? (isCanary ? "canary" : "live") : "fallback",
      generation: view.generation,
      cell: request.cell,
      subject,
      payload: meta.payload,
      salt: runtime.random.bytes(16),
      score: answer.score,
      action: answer.action,
      favourable: answer.favourable,
      reasons: answer.reasons,
      answeredBy: candidate.answeredBy,
      because,
      decidedAtMs,
      latencyUs,
      idempotencyKey: meta.idempotencyKey,
      bodyHash: meta.bodyHash,
      source: meta.source,
    };
    const outcome = await log.append(record);
    if ("conflict" in outcome) return err({ kind: "key-reused" });
    if (clock.monotonicUs() - startedUs > lateMs * 1000) return err({ kind: "too-late", isRecorded: true });
    if ("replayed" in outcome) return ok({ reply: replyOf(outcome.replayed, view), isReplay: true });
    for (const shadow of view.shadows) {
      if (this.#inFlight > maxInFlight / 2) this.#shadows.shed(1);
      else this.#shadows.offer(shadow, id, request.inputs);
    }
    return ok({ reply: replyOf(record, view), isReplay: false });
  }

  /** Asks one after the other within the deadline. `because` says why the first one didn't answer. */
  async #firstAnswer(
    order: readonly Candidate[],
    request: DecisionRequest,
    startedUs: number,
  ): Promise<Result<{ answer: Answer; candidate: Candidate; because: string | null }, DecisionRefusal>> {
    const { clock } = this.#options.runtime;
    let because: string | null = null;
    for (const [i, candidate] of order.entries()) {
      const { release } = candidate;
      const leftMs = i === 0 ? this.#options.deadlineMs : this.#options.deadlineMs - (clock.monotonicUs() - startedUs) / 1000;
      const isLast = i === order.length - 1;
      if (leftMs <= 0 && !isLast) continue;
      try {
        const scored = release.scorer.score(
          request.inputs,
          Math.max(isLast ? LAST_CHANCE_MS : 1, Math.min(leftMs, this.#options.scorerTimeoutMs)),
        );
        // Rules answer at once: no turn of the event loop for them.
        const answer = answerOf(release, scored instanceof Promise ? await scored : scored);
        return ok({ answer, candidate, because });
      } catch (error) {
        if (!(error instanceof ScorerError)) throw error; // the program is wrong: not ours to hide
        because ??= `r${release.number} ${error.trouble}: ${error.message}`;
        this.#noteFailure(release, error);
      }
    }
    return err({ kind: "no-answer", because: because ?? "no time was left" });
  }

  #noteFailure(release: LoadedRelease, error: ScorerError): void {
    const nowUs = this.#options.runtime.clock.monotonicUs();
    let failures = this.#failures.get(release.id);
    if (!failures || nowUs - failures.sinceUs > TROUBLE_WITHIN_US) {
      failures = { sinceUs: nowUs, count: 0 };
      this.#failures.set(release.id, failures);
    }
    failures.count++;
    if (failures.count !== TROUBLE_FAILURES) return;
    const { trouble, message } = error;
    this.#options.onTrouble?.({ endpoint: release.endpoint.name, release: release.id, trouble, message, failures: failures.count });
  }
}

function replyOf(decision: DecisionRecord | StoredReply, view: RouteView): DecisionReply {
  const { id, action, score, reasons, release, generation, answeredBy, decidedAtMs } = decision;
  const number = view.releaseNumbers.get(release);
  return {
    id,
    action,
    score,
    reasons,
    release: number === undefined ? release : `r${number}`,
    generation,
    route: answeredBy,
    decidedAt: new Date(decidedAtMs).toISOString(),
  };
}
