/** What a sink's target gets of a decision and of an outcome. Pure: rows of the log in, documents out. */
import type { Json } from "../../store/index.ts";
import { ERASED_CELL } from "../digest.ts";
import { groupsOf } from "../tally.ts";
import type { SinkSpec } from "./spec.ts";

/** The two kinds of entries, each with numbers of its own. */
export type Stream = "decision" | "outcome";
export const STREAMS = ["decision", "outcome"] as const satisfies readonly Stream[];

/** A decision as the log has it, with the number of its release. */
export interface DecisionEntry {
  readonly seq: number;
  readonly id: string;
  readonly endpoint: string;
  readonly release: string;
  readonly releaseNumber: number | null;
  readonly answeredBy: string;
  readonly generation: number;
  readonly action: string;
  readonly favourable: boolean;
  readonly score: number | null;
  readonly reasons: readonly string[];
  readonly because: string | null;
  readonly decidedAtMs: number;
  readonly latencyUs: number;
  readonly counted: boolean;
  readonly source: string;
  readonly cell: string;
  readonly subject: string | null;
  /** Null where the person was erased, or where nothing of it is asked for. */
  readonly payload: string | null;
}

/** One thing that was said about a decision. */
export interface OutcomeEntry {
  readonly seq: number;
  readonly decision: string;
  readonly endpoint: string;
  readonly value: string;
  readonly good: boolean;
  /** Something else was said about the decision before. */
  readonly isCorrection: boolean;
  readonly atMs: number;
  readonly recordedAtMs: number;
  readonly source: string;
}

/** A decision as targets keep it. Times are ISO 8601 in UTC. */
export interface DecisionDocument {
  readonly kind: "decision";
  /** The decision's own id: the same however often it is delivered. */
  readonly id: string;
  /** Its place in the log; grows, with gaps. */
  readonly seq: number;
  readonly endpoint: string;
  /** `r12`; the release's id where it has no number. */
  readonly release: string;
  readonly releaseId: string;
  readonly route: string;
  readonly generation: number;
  readonly action: string;
  readonly favourable: boolean;
  readonly score: number | null;
  readonly reasons: readonly string[];
  readonly because: string | null;
  readonly decidedAt: string;
  readonly latencyMs: number;
  readonly isCounted: boolean;
  readonly source: string;
  /** Only where the sink includes them; null where the person was erased. */
  readonly groups?: Readonly<Record<string, string>> | null;
  readonly inputs?: Json;
  readonly subject?: string | null;
}

/** An outcome as targets keep it. The newest of a decision (the highest `seq`) holds; corrections are documents of their own. */
export interface OutcomeDocument {
  readonly kind: "outcome";
  /** The decision's id and the outcome's number, `…/7`. */
  readonly id: string;
  readonly seq: number;
  readonly endpoint: string;
  readonly decision: string;
  readonly value: string;
  readonly good: boolean;
  readonly isCorrection: boolean;
  readonly at: string;
  readonly recordedAt: string;
  readonly source: string;
}

export type SinkDocument = DecisionDocument | OutcomeDocument;

const iso = (ms: number) => new Date(ms).toISOString();

/** @param include - what of the person goes along; nothing when left out */
export function decisionDocument(entry: DecisionEntry, include: SinkSpec["include"]): DecisionDocument {
  const isErased = entry.cell === ERASED_CELL;
  return {
    kind: "decision",
    id: entry.id,
    seq: entry.seq,
    endpoint: entry.endpoint,
    release: entry.releaseNumber === null ? entry.release : `r${entry.releaseNumber}`,
    releaseId: entry.release,
    route: entry.answeredBy,
    generation: entry.generation,
    action: entry.action,
    favourable: entry.favourable,
    score: entry.score,
    reasons: entry.reasons,
    because: entry.because,
    decidedAt: iso(entry.decidedAtMs),
    latencyMs: entry.latencyUs / 1000,
    isCounted: entry.counted,
    source: entry.source,
    ...(include?.includes("groups") ? { groups: isErased ? null : { ...groupsOf(entry.cell) } } : {}),
    ...(include?.includes("inputs") ? { inputs: entry.payload === null ? null : inputsIn(entry.payload) } : {}),
    ...(include?.includes("subject") ? { subject: entry.subject } : {}),
  };
}

export const outcomeDocument = (entry: OutcomeEntry): OutcomeDocument => ({
  kind: "outcome",
  id: `${entry.decision}/${entry.seq}`,
  seq: entry.seq,
  endpoint: entry.endpoint,
  decision: entry.decision,
  value: entry.value,
  good: entry.good,
  isCorrection: entry.isCorrection,
  at: iso(entry.atMs),
  recordedAt: iso(entry.recordedAtMs),
  source: entry.source,
});

/** When the entry came to be. */
export const timeOf = (document: SinkDocument): string => (document.kind === "decision" ? document.decidedAt : document.recordedAt);

/** The inputs of a request as it was recorded; all of it where it has another form. */
function inputsIn(payload: string): Json {
  const request = asJson(payload);
  return typeof request === "object" && request !== null && "inputs" in request ? asInputs(request["inputs"]) : request;
}

/** Requests are recorded as they came, and were JSON; one that isn't goes along as text rather than holding up all that follow. */
function asJson(payload: string): Json {
  try {
    return asInputs(JSON.parse(payload));
  } catch (error) {
    if (error instanceof SyntaxError) return payload;
    throw error;
  }
}
/** What was parsed as JSON is JSON, and so is a part of it. */
const asInputs = (value: unknown): Json => value as Json;
