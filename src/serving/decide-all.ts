/** Deciding about many people at once: planned, scored in batches, fallen back row by row, recorded as a whole. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { DecisionLog, DecisionRecord } from "../decisions/index.ts";
import { assert, err, ok, type Issue, type ReleaseId, type Result } from "../std.ts";
import type { Runtime } from "../store/index.ts";
import { recordedAnswer, replyOf, type DecisionReply, type Given } from "./answered.ts";
import type { DecisionRequest } from "./inputs.ts";
import { answerOf, type LoadedRelease } from "./loaded-release.ts";
import type { Candidate, Planned, RouteTable } from "./route-view.ts";
import { ScorerError } from "./scorer.ts";
import type { SubjectHash } from "./subjects.ts";

/** One of many applications: a request's parsed body, of which nothing is believed yet, and how it is recorded. */
export interface Application {
  readonly body: unknown;
  /** The body as text, to be recorded. */
  readonly payload: string;
  readonly idempotencyKey: string | null;
  readonly bodyHash: string | null;
}

/** A reply, and whether it is a fresh one. */
export interface Decided {
  readonly reply: DecisionReply;
  /** It was given before, under the same idempotency key. */
  readonly isReplay: boolean;
}

export interface ManyParts {
  readonly log: Pick<DecisionLog, "appendWhole">;
  readonly runtime: Runtime;
  readonly subjectHash: SubjectHash;
  /** Time for all scorers together. */
  readonly deadlineMs: number;
  readonly noteFailure: (release: LoadedRelease, error: ScorerError) => void;
  readonly noteAnswers: (release: LoadedRelease, count: number) => void;
  readonly notePlanned: (planned: Planned, asked: number, failed: number) => void;
  /** The bins of inputs by the profile of the release that answered; undefined while it has none. */
  readonly inputBins: (release: ReleaseId, inputs: DecisionRequest["inputs"]) => string | undefined;
}

/** Rows that are looked at, scored or answered before single requests get their turn of the event loop. */
const ROWS_AT_ONCE = 128;

/**
 * Checks all bodies; issues have the row's number before their path: `/17/inputs/age`.
 * @param unexpected - why a valid request is refused all the same; null where it isn't
 */
export async function parseAll(
  table: RouteTable,
  applications: readonly Application[],
  unexpected: (request: DecisionRequest) => readonly Issue[] | null,
): Promise<Result<readonly DecisionRequest[], readonly Issue[]>> {
  const requests: DecisionRequest[] = [];
  const issues: Issue[] = [];
  for (const [row, { body }] of applications.entries()) {
    if (row % ROWS_AT_ONCE === ROWS_AT_ONCE - 1) await nextTurn();
    const request = table.view.endpoint.parse(body);
    const wrong = request.ok ? unexpected(request.value) : request.error;
    if (wrong) issues.push(...wrong.map((issue) => ({ ...issue, path: `/${row}${issue.path}` })));
    else if (request.ok) requests.push(request.value);
    if (issues.length >= 20) break;
  }
  return issues.length > 0 ? err(issues.slice(0, 20)) : ok(requests);
}

interface Row {
  readonly at: number;
  readonly request: DecisionRequest;
  readonly id: DecisionRecord["id"];
  readonly subject: string | null;
  /** What decides where it is drawn to: the subject's hash, or random digits. */
  readonly draw: string;
  readonly planned: Planned;
  given: Given | null;
  because: string | null;
}

export interface ManyMeta {
  readonly source: string;
  readonly startedUs: number;
  /** Who is asked instead of whom the route table plans. */
  readonly pinned: Planned | null;
}

/** What came of it: replies in the order of the applications and, of those recorded now, what shadows may be asked. */
export interface ManyDecided {
  readonly decided: readonly Decided[];
  readonly fresh: readonly (Pick<Row, "id" | "draw" | "request"> & { readonly fellBack: boolean })[];
}
export type ManyRefusal =
  | { readonly kind: "no-answer"; readonly because: string }
  | { readonly kind: "key-reused"; readonly rows: readonly number[] };

export async function decideAll(
  parts: ManyParts,
  table: RouteTable,
  requests: readonly DecisionRequest[],
  applications: readonly Application[],
  meta: ManyMeta,
): Promise<Result<ManyDecided, ManyRefusal>> {
  const { runtime, log } = parts;
  const { view } = table;
  const rows: Row[] = [];
  for (const [at, request] of requests.entries()) {
    if (at % ROWS_AT_ONCE === ROWS_AT_ONCE - 1) await nextTurn();
    const id = runtime.ids.decision();
    const subject = request.subject === null ? null : parts.subjectHash(request.subject);
    const draw = subject ?? id.slice(-12);
    rows.push({ at, request, id, subject, draw, planned: meta.pinned ?? table.planFor(draw, request.inputs), given: null, because: null });
  }
  for (const planned of new Set(rows.map((row) => row.planned))) {
    const asked = rows.filter((row) => row.planned === planned);
    await answerAll(parts, planned.order, asked, meta.startedUs);
    parts.notePlanned(planned, asked.length, asked.filter(({ given, because }) => given === null || because !== null).length);
  }
  const unanswered = rows.find(({ given }) => given === null);
  if (unanswered) return err({ kind: "no-answer", because: unanswered.because ?? "no time was left" });

  const latencyUs = runtime.clock.monotonicUs() - meta.startedUs;
  const decidedAtMs = runtime.clock.nowMs();
  const records: DecisionRecord[] = [];
  for (const { at, request, id, subject, planned, given } of rows) {
    if (at % ROWS_AT_ONCE === ROWS_AT_ONCE - 1) await nextTurn();
    const application = applications[at];
    assert(given && application, "every row is answered and was asked");
    const { payload, idempotencyKey, bodyHash } = application;
    const inputBins = parts.inputBins(given.candidate.release.id, request.inputs);
    records.push({
      id,
      ...recordedAnswer(given, planned.arm, view),
      ...(inputBins === undefined ? {} : { inputBins }),
      cell: request.cell,
      subject,
      payload,
      salt: runtime.random.bytes(16),
      decidedAtMs,
      latencyUs,
      idempotencyKey,
      bodyHash,
      source: meta.source,
    });
  }
  const appended = await log.appendWhole(records);
  if (!appended.ok) return err({ kind: "key-reused", rows: appended.error });
  const decided = appended.value.map((outcome, at): Decided => {
    assert(!("conflict" in outcome), "a whole with a conflict is refused");
    if ("replayed" in outcome) return { reply: replyOf(outcome.replayed, view), isReplay: true };
    const record = records[at];
    assert(record, "an outcome for every record");
    return { reply: replyOf(record, view), isReplay: false };
  });
  const fresh = rows.flatMap(({ at, id, draw, request, given }) =>
    decided[at]?.isReplay ? [] : [{ id, draw, request, fellBack: given?.because !== null }],
  );
  return ok({ decided, fresh });
}

/** One release after the other: each is asked about those whom the ones before it could not answer. */
async function answerAll(parts: ManyParts, order: readonly Candidate[], rows: readonly Row[], startedUs: number): Promise<void> {
  const { clock } = parts.runtime;
  let open = rows;
  const late = deadline(parts.deadlineMs - (clock.monotonicUs() - startedUs) / 1000);
  for (const [i, candidate] of order.entries()) {
    const isLast = i === order.length - 1;
    const { release } = candidate;
    let troubles = 0;
    for (let at = 0; at < open.length; at += ROWS_AT_ONCE) {
      await nextTurn();
      // The last in line is asked even when all time is spent: mostly it is a rule, which needs none.
      if (!isLast && clock.monotonicUs() - startedUs > parts.deadlineMs * 1000) break;
      const some = open.slice(at, at + ROWS_AT_ONCE);
      const scoring = release.scorer.scoreMany(some.map(({ request }) => request.inputs));
      const scores = isLast ? await scoring : await Promise.race([scoring, late.passed]);
      if (scores === undefined) {
        parts.noteFailure(release, new ScorerError("timeout", "no time was left for it"));
        break;
      }
      for (const [j, row] of some.entries()) {
        const scored = scores[j];
        if (scored === undefined || scored instanceof ScorerError) {
          row.because ??= `r${release.number} ${scored?.trouble ?? "failed"}: ${scored?.message ?? "no score"}`;
          // A batch that fails says the same of each of its rows: it is one failure.
          if (scored && troubles++ % ROWS_AT_ONCE === 0) parts.noteFailure(release, scored);
        } else row.given = { answer: answerOf(release, scored, row.request.groups), candidate, because: row.because };
      }
    }
    const left = open.filter(({ given }) => given === null);
    if (left.length < open.length) parts.noteAnswers(release, open.length - left.length);
    open = left;
    if (!isLast) for (const row of open) row.because ??= `r${release.number} timeout: no time was left for it`;
  }
  late.end();
}

function deadline(inMs: number): { readonly passed: Promise<undefined>; end(): void } {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), Math.max(0, inMs))));
  return { passed, end: () => clearTimeout(timer) };
}
