/** Answers requests for decisions: routes, scores, falls back, records, replies. */
import { Durations, LogOverloaded, type DecisionLog, type DecisionRecord, type DurationCounts } from "../decisions/index.ts";
import { assert, err, ok, type EndpointName, type Issue, type ReleaseId, type Result } from "../std.ts";
import type { Runtime } from "../store/index.ts";
import { recordedAnswer, replyOf, type Given } from "./answered.ts";
import { decideAll, parseAll, type Application, type Decided } from "./decide-all.ts";
import { ExpectationCounts, type ExpectationCount } from "./expectation-counts.ts";
import type { CompiledExpectations } from "./expectations.ts";
import { FailureWatch, type FailureCount, type FailureFigures } from "./failure-watch.ts";
import type { DecisionRequest } from "./inputs.ts";
import { Door } from "./door.ts";
import { answerOf, type LoadedRelease } from "./loaded-release.ts";
import { PlannedCounts, type PlannedCount } from "./planned-counts.ts";
import { RouteTable, loadedIn, type Candidate, type RouteView } from "./route-view.ts";
import { ScorerError, type ScorerTrouble } from "./scorer.ts";
import { Shadows, type ShadowStats } from "./shadows.ts";
import type { RequestTrace } from "./tracing.ts";
import { subjectHash, type SubjectHash } from "./subjects.ts";

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
  /** Release to ask whatever the route table plans, one that is loaded; the fallback stands behind it. */
  readonly pinned?: ReleaseId;
  /** Time for all scorers together, where the caller has less than the gateway gives. */
  readonly deadlineMs?: number;
  /** The caller's trace, or one that was begun for it. */
  readonly trace?: RequestTrace;
}

/** Why there is no reply. Nothing was recorded, unless `isRecorded`. */
export type DecisionRefusal =
  | { readonly kind: "unknown-endpoint" }
  | { readonly kind: "invalid"; readonly issues: readonly Issue[] }
  /** More is under way than can be answered in time. */
  | { readonly kind: "overloaded" }
  /** The idempotency key was used with another body; `rows`: of many applications, which. */
  | { readonly kind: "key-reused"; readonly rows?: readonly number[] }
  /** The release that was asked for by name is not loaded. */
  | { readonly kind: "not-loaded"; readonly release: ReleaseId }
  /** The answer would come later than anybody waits. `isRecorded`: asking again with the same key gives it. */
  | { readonly kind: "too-late"; readonly isRecorded: boolean }
  /** No release in line had an answer, the fallback neither. */
  | { readonly kind: "no-answer"; readonly because: string };

/** A release has failed, event after event, most of what it was asked within ten seconds (`failure-watch.ts`). */
export interface ReleaseTrouble extends FailureFigures {
  readonly endpoint: EndpointName;
  readonly release: ReleaseId;
  readonly trouble: ScorerTrouble;
  /** Of the latest failure. */
  readonly message: string;
  readonly atMs: number;
}

/** What a gateway needs, and the limits it keeps. */
export interface GatewayOptions {
  readonly log: Pick<DecisionLog, "append" | "appendWhole" | "appendShadow">;
  readonly runtime: Runtime;
  /** Secret for the hashes of subjects, at least 32 bytes; the same for all gateways and for ever. */
  readonly subjectKey: Uint8Array;
  /** Time for all scorers of a decision together. Default 500. */
  readonly deadlineMs?: number;
  /** Time for one scorer. Default 200. */
  readonly scorerTimeoutMs?: number;
  /** Answers that would come later are refused. Default 2,000. */
  readonly lateMs?: number;
  /** Decisions under way at most, with those that wait for their turn. Default 2,000. */
  readonly maxInFlight?: number;
  /** Who would wait longer for a turn of the event loop is refused at once. Default 100. */
  readonly maxWaitMs?: number;
  /** Time for all scorers of many decisions that are asked for at once. Default 10,000. */
  readonly manyDeadlineMs?: number;
  /** Decisions under way at most that were asked for many at once. Default 20,000. */
  readonly maxManyInFlight?: number;
  /** Shadow answers that wait at most. Default 2,000. */
  readonly maxShadows?: number;
  /** Whether memory runs short: many decisions at once are refused then. Never by default. */
  readonly isShortOfMemory?: () => boolean;
  /** The bins of inputs by the profile of the release that answered; undefined while it has none. None by default. */
  readonly inputBins?: (release: ReleaseId, inputs: DecisionRequest["inputs"]) => string | undefined;
  /** Told once for the same events. */
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

/** Requests of one endpoint since the gateway was made. */
export interface RequestCounts {
  /** Valid ones. */
  readonly answered: number;
  /** Refused as too many, too late or beyond every release, or failed in the log. A reused key or a wrong body is the caller's. */
  readonly unanswered: number;
  /** Malformed ones. */
  readonly rejected: number;
}

/** Even when all time is spent, the last in line gets this much: mostly it is a rule, which needs none. */
const LAST_CHANCE_MS = 20;
/** After a standstill: so long does it take until all that had come meanwhile has been read. */
const SUSPECT_US = 250_000;
/** Short beside what people wait anyway, long enough for those who come together to be scored together. */
const TURN_MS = 5;

/** The hot path of one process: one gateway for all of its endpoints. */
export class Gateway {
  readonly #options: Required<Omit<GatewayOptions, "onTrouble">> & Pick<GatewayOptions, "onTrouble">;
  readonly #tables = new Map<string, RouteTable>();
  readonly #shadows: Shadows;
  readonly #subjectHash: SubjectHash;
  readonly #failures = new FailureWatch();
  readonly #expected = new ExpectationCounts();
  readonly #counts = new Map<string, { -readonly [K in keyof RequestCounts]: number }>();
  readonly #durations = new Map<string, Durations>();
  readonly #door: Door;
  /** The last beat; null where nobody beats. */
  #beatUs: number | null = null;
  #suspectUntilUs = 0;
  #inFlight = 0;
  #manyInFlight = 0;
  #fellBack = 0;
  readonly #planned = new PlannedCounts();

  constructor(options: GatewayOptions) {
    this.#options = {
      deadlineMs: 500,
      scorerTimeoutMs: 200,
      lateMs: 2000,
      maxInFlight: 2000,
      maxWaitMs: 100,
      maxShadows: 2000,
      manyDeadlineMs: 10_000,
      maxManyInFlight: 20_000,
      isShortOfMemory: () => false,
      inputBins: () => undefined,
      ...options,
    };
    this.#door = new Door({ clock: options.runtime.clock, turnMs: TURN_MS, maxWaitMs: this.#options.maxWaitMs });
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
    this.#failures.keep(new Set([...this.#tables.values()].flatMap((table) => loadedIn(table.view).map(({ id }) => id))));
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
  #countsOf(endpoint: string): { -readonly [K in keyof RequestCounts]: number } {
    const counts = this.#counts.get(endpoint) ?? { answered: 0, unanswered: 0, rejected: 0 };
    this.#counts.set(endpoint, counts);
    return counts;
  }

  /** How long single requests took that were answered, recording included; undefined where none was. */
  durations(endpoint: string): DurationCounts | undefined {
    return this.#durations.get(endpoint)?.counts();
  }
  #durationsOf(endpoint: string): Durations {
    let durations = this.#durations.get(endpoint);
    if (!durations) this.#durations.set(endpoint, (durations = new Durations()));
    return durations;
  }

  /** How often releases that are in force failed since they were loaded. */
  failures(): readonly FailureCount[] {
    return this.#failures.counts();
  }

  /** How often each release was to answer, and had no answer then. */
  planned(): readonly PlannedCount[] {
    return this.#planned.list();
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

  /**
   * To be called some times a second. A process that stood still (its machine was paused, its memory swapped out) finds requests that the
   * system took in meanwhile, and can't see how long they have waited: what it reads right after a gap between beats that is longer than
   * anybody waits is refused as too late. Without beats there is no such look.
   */
  beat(): void {
    const nowUs = this.#options.runtime.clock.monotonicUs();
    if (this.#stoodStill(nowUs)) this.#suspectUntilUs = nowUs + SUSPECT_US;
    this.#beatUs = nowUs;
  }
  #stoodStill(nowUs: number): boolean {
    return this.#beatUs !== null && nowUs - this.#beatUs > this.#options.lateMs * 1000;
  }
  #mayBeStale(nowUs: number): boolean {
    return nowUs < this.#suspectUntilUs || this.#stoodStill(nowUs);
  }

  /** What came in otherwise than expected, by endpoint and definition. */
  expectationCounts(): readonly ExpectationCount[] {
    return this.#expected.list();
  }
  /** Lets go of the counts of a definition, once they are kept elsewhere. */
  forgetExpectations(expectations: CompiledExpectations): void {
    this.#expected.forget(expectations);
  }

  /** Resolves when nothing is under way, shadows included. */
  async idle(): Promise<void> {
    for (const table of this.#tables.values()) await table.drained();
    await this.#shadows.idle();
  }

  /**
   * Whether a request for a decision would be refused as one too many, asked before anything else is done for it: under five times the
   * load it can carry, a server that reads and checks all of it first has no time left to decide. Counts it as unanswered if so.
   */
  turnsAway(endpoint: string): boolean {
    if (!this.#tables.has(endpoint) || !this.#door.isFull(this.#options.runtime.clock.monotonicUs())) return false;
    this.#countsOf(endpoint).unanswered++;
    return true;
  }

  /**
   * Decides on one request. Replies once the decision is recorded as the log promises.
   * @param body - parsed JSON, of which nothing is believed yet
   * @throws StorageError when the log can't record it
   */
  async decide(endpoint: string, body: unknown, meta: RequestMeta): Promise<Result<Decided, DecisionRefusal>> {
    if (!this.#tables.has(endpoint)) return err({ kind: "unknown-endpoint" });
    const nowUs = this.#options.runtime.clock.monotonicUs();
    const startedUs = meta.receivedAtUs ?? nowUs;
    if (this.#mayBeStale(nowUs)) {
      this.#countsOf(endpoint).unanswered++;
      return err({ kind: "too-late", isRecorded: false });
    }
    const decided =
      this.#inFlight + this.#door.waiting < this.#options.maxInFlight
        ? await this.#door.enter(() => this.#decideNow(endpoint, body, meta, startedUs))
        : null;
    if (decided !== null) return decided;
    this.#countsOf(endpoint).unanswered++;
    return err({ kind: "overloaded" });
  }

  /** By the table that is in force once it has its turn. */
  async #decideNow(endpoint: string, body: unknown, meta: RequestMeta, startedUs: number): Promise<Result<Decided, DecisionRefusal>> {
    const table = this.#tables.get(endpoint);
    if (!table) return err({ kind: "unknown-endpoint" });
    const counts = this.#countsOf(endpoint);
    const request = table.view.endpoint.parse(body);
    if (!request.ok) {
      counts.rejected++;
      return err({ kind: "invalid", issues: request.error });
    }
    const unexpected = this.#expected.look(table.view.endpoint, request.value.inputs, meta.pinned === undefined);
    if (unexpected !== null) {
      counts.rejected++;
      return err({ kind: "invalid", issues: unexpected });
    }
    this.#inFlight++;
    table.enter();
    try {
      const decided = await this.#decideOn(table, request.value, meta, startedUs);
      if (decided.ok) {
        counts.answered++;
        this.#durationsOf(endpoint).add(this.#options.runtime.clock.monotonicUs() - startedUs);
      } else if (decided.error.kind !== "key-reused") counts.unanswered++;
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

  /**
   * Decides on many applications, which are recorded as a whole: all of them, or none. Replies are in their order. Refused before
   * single decisions are: when a quarter of those that may be under way is.
   * @param applications - no idempotency key twice; issues have the number of the application before their path: `/17/inputs/age`
   * @throws StorageError when the log can't record them
   */
  async decideAll(
    endpoint: string,
    applications: readonly Application[],
    meta: Pick<RequestMeta, "source" | "receivedAtUs" | "pinned">,
  ): Promise<Result<readonly Decided[], DecisionRefusal>> {
    const table = this.#tables.get(endpoint);
    if (!table) return err({ kind: "unknown-endpoint" });
    const { log, runtime, manyDeadlineMs, maxInFlight, maxManyInFlight, isShortOfMemory } = this.#options;
    const count = applications.length;
    if (isShortOfMemory() || this.#inFlight >= maxInFlight / 4 || this.#manyInFlight + count > maxManyInFlight) {
      this.#countsOf(endpoint).unanswered += count;
      return err({ kind: "overloaded" });
    }
    const counts = this.#countsOf(endpoint);
    const nowUs = runtime.clock.monotonicUs();
    if (this.#mayBeStale(nowUs)) {
      counts.unanswered += count;
      return err({ kind: "too-late", isRecorded: false });
    }
    const pinned = meta.pinned === undefined ? null : table.pinnedTo(meta.pinned);
    if (pinned === undefined) return err({ kind: "not-loaded", release: asAsked(meta.pinned) });
    const startedUs = meta.receivedAtUs ?? nowUs;
    this.#manyInFlight += count;
    table.enter();
    try {
      const { endpoint: compiled } = table.view;
      const requests = await parseAll(table, applications, ({ inputs }) => this.#expected.look(compiled, inputs, pinned === null));
      if (!requests.ok) {
        counts.rejected += count;
        return err({ kind: "invalid", issues: requests.error });
      }
      const done = await decideAll(
        {
          log,
          runtime,
          subjectHash: this.#subjectHash,
          deadlineMs: manyDeadlineMs,
          noteFailure: (release, error) => this.#noteFailure(release, error),
          inputBins: this.#options.inputBins,
          notePlanned: (planned, asked, failed) => this.#planned.note(table.view.endpoint.name, planned, asked, failed),
          noteAnswers: (release, count) => this.#failures.answered(release.id, count),
        },
        table,
        requests.value,
        applications,
        { source: meta.source, startedUs, pinned },
      );
      if (!done.ok) {
        if (done.error.kind !== "key-reused") counts.unanswered += count;
        return done;
      }
      counts.answered += count;
      for (const { id, draw, request, fellBack } of done.value.fresh) {
        if (fellBack) this.#fellBack++;
        if (!pinned) this.#askShadows(table, { id, draw, request });
      }
      return ok(done.value.decided);
    } catch (error) {
      counts.unanswered += count;
      if (error instanceof LogOverloaded) return err({ kind: "overloaded" });
      throw error;
    } finally {
      table.leave();
      this.#manyInFlight -= count;
    }
  }

  #askShadows(
    table: RouteTable,
    { id, draw, request }: { readonly id: DecisionRecord["id"]; readonly draw: string; readonly request: DecisionRequest },
  ): void {
    for (const shadow of table.shadowsFor(draw)) {
      if (this.#inFlight > this.#options.maxInFlight / 2) this.#shadows.shed(1);
      else this.#shadows.offer(shadow, id, request);
    }
  }

  async #decideOn(
    table: RouteTable,
    request: DecisionRequest,
    meta: RequestMeta,
    startedUs: number,
  ): Promise<Result<Decided, DecisionRefusal>> {
    const { log, runtime, lateMs } = this.#options;
    const { clock } = runtime;
    const { view } = table;
    const id = runtime.ids.decision();
    const subject = request.subject === null ? null : this.#subjectHash(request.subject);
    // An id's last twelve digits are random; people without a name are drawn anew each time.
    const draw = subject ?? id.slice(-12);
    const planned = meta.pinned === undefined ? table.planFor(draw, request.inputs) : table.pinnedTo(meta.pinned);
    if (planned === undefined) return err({ kind: "not-loaded", release: asAsked(meta.pinned) });

    const answered = await this.#firstAnswer(
      planned.order,
      request,
      startedUs,
      Math.min(this.#options.deadlineMs, meta.deadlineMs ?? Number.POSITIVE_INFINITY),
      meta.trace,
    );
    this.#planned.note(view.endpoint.name, planned, 1, answered.ok && answered.value.because === null ? 0 : 1);
    if (!answered.ok) return answered;
    const decidedAtMs = clock.nowMs();
    const latencyUs = clock.monotonicUs() - startedUs;
    if (latencyUs > lateMs * 1000) return err({ kind: "too-late", isRecorded: false });
    if (answered.value.because !== null) this.#fellBack++;
    const inputBins = this.#options.inputBins(answered.value.candidate.release.id, request.inputs);
    const record: DecisionRecord = {
      id,
      ...recordedAnswer(answered.value, planned.arm, view),
      ...(inputBins === undefined ? {} : { inputBins }),
      cell: request.cell,
      subject,
      payload: meta.payload,
      salt: runtime.random.bytes(16),
      decidedAtMs,
      latencyUs,
      idempotencyKey: meta.idempotencyKey,
      bodyHash: meta.bodyHash,
      source: meta.source,
    };
    const recording = log.append(record);
    const outcome = await (meta.trace?.begin === undefined ? recording : traced(meta.trace, record, recording));
    if ("conflict" in outcome) return err({ kind: "key-reused" });
    if (clock.monotonicUs() - startedUs > lateMs * 1000) return err({ kind: "too-late", isRecorded: true });
    if ("replayed" in outcome) return ok({ reply: replyOf(outcome.replayed, view), isReplay: true });
    if (planned.arm !== "pinned") this.#askShadows(table, { id, draw, request });
    return ok({ reply: replyOf(record, view), isReplay: false });
  }

  /** Asks one after the other within the deadline. `because` says why the first one didn't answer. */
  async #firstAnswer(
    order: readonly Candidate[],
    request: DecisionRequest,
    startedUs: number,
    deadlineMs: number,
    trace: RequestTrace | undefined,
  ): Promise<Result<Given, DecisionRefusal>> {
    const { clock } = this.#options.runtime;
    let because: string | null = null;
    for (const [i, candidate] of order.entries()) {
      const { release } = candidate;
      const leftMs = i === 0 ? deadlineMs : deadlineMs - (clock.monotonicUs() - startedUs) / 1000;
      const isLast = i === order.length - 1;
      if (leftMs <= 0 && !isLast) continue;
      const step = trace?.begin?.("score", scoreAttributes(release));
      try {
        const scored = release.scorer.score(
          request.inputs,
          Math.max(isLast ? LAST_CHANCE_MS : 1, Math.min(leftMs, this.#options.scorerTimeoutMs)),
          step ? step.context : trace?.context,
        );
        // Rules answer at once: no turn of the event loop for them.
        const answer = answerOf(release, scored instanceof Promise ? await scored : scored, request.groups);
        this.#failures.answered(release.id);
        step?.end();
        return ok({ answer, candidate, because });
      } catch (error) {
        step?.end(error instanceof ScorerError ? error.trouble : "internal");
        if (!(error instanceof ScorerError)) throw error; // the program is wrong: not ours to hide
        because ??= `r${release.number} ${error.trouble}: ${error.message}`;
        this.#noteFailure(release, error);
      }
    }
    return err({ kind: "no-answer", because: because ?? "no time was left" });
  }

  #noteFailure(release: LoadedRelease, error: ScorerError): void {
    const { clock } = this.#options.runtime;
    const figures = this.#failures.failed(release.id, error, clock.monotonicUs());
    if (!figures) return;
    const { trouble, message } = error;
    this.#options.onTrouble?.({ endpoint: release.endpoint.name, release: release.id, trouble, message, atMs: clock.nowMs(), ...figures });
  }
}

const scoreAttributes = ({ number, bundle }: LoadedRelease) => ({
  "evenkeel.release": `r${number}`,
  "evenkeel.scorer.type": bundle.scorer.kind,
});

/** Recording a decision, with what was decided, where somebody wants to know. */
async function traced<T>(trace: RequestTrace, record: DecisionRecord, recording: Promise<T>): Promise<T> {
  const { generation, answeredBy, action, because } = record;
  trace.note?.({
    "evenkeel.generation": generation,
    "evenkeel.route": answeredBy,
    "evenkeel.action": action,
    ...(because === null ? {} : { "evenkeel.fallback": true }),
  });
  const step = trace.begin?.("commit", {});
  try {
    const recorded = await recording;
    step?.end();
    return recorded;
  } catch (error) {
    step?.end(error instanceof LogOverloaded ? "overloaded" : "not-recorded");
    throw error;
  }
}

/** Only what was asked for can be missing. */
function asAsked(release: ReleaseId | undefined): ReleaseId {
  assert(release !== undefined, "a release that was asked for");
  return release;
}
