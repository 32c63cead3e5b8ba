/** How a sink stands: what it has delivered, what waits, and what its target said. */
import type { Schema, Store } from "../../store/index.ts";
import type { Cursor } from "./cursors.ts";
import { STREAMS, type Stream } from "./document.ts";
import type { Ends } from "./log-end.ts";
import { countEntries, firstEntryMs } from "./read-entries.ts";
import { storedSink, type SinkSpec } from "./spec.ts";

export type SinkState = "running" | "paused" | "disabled";

/** How a sink stands. */
export interface SinkStatus {
  readonly spec: SinkSpec;
  readonly state: SinkState;
  /** Why it doesn't run; null where it does. */
  readonly why: string | null;
  readonly createdAtMs: number;
  readonly delivered: Readonly<Record<Stream, number>>;
  readonly failures: number;
  /** Entries recorded and not delivered yet. */
  readonly lag: Readonly<Record<Stream, number>>;
  /** Age of the oldest of them; 0 where there is none. */
  readonly lagMs: number;
  /** Of the last attempt; null where that succeeded. */
  readonly lastError: string | null;
  readonly lastErrorAtMs: number | null;
  readonly lastSuccessAtMs: number | null;
}

/** @param at.ends - the newest numbers of the log */
export async function sinkStatus(
  { db, runtime }: Store,
  row: Schema["sink"],
  { cursors, ends }: { readonly cursors: Readonly<Record<Stream, Cursor>>; readonly ends: Ends },
): Promise<SinkStatus> {
  const spec = storedSink(row.spec_json);
  const all: readonly Cursor[] = STREAMS.map((stream) => cursors[stream]);
  const between = (stream: Stream) => ({ stream, after: cursors[stream].position, upTo: ends[stream] });
  const first = [await firstEntryMs(db, spec, between("decision")), await firstEntryMs(db, spec, between("outcome"))];
  const oldestMs = Math.min(...first.map((ms) => ms ?? Number.POSITIVE_INFINITY));
  return {
    spec,
    state: asState(row.state),
    why: row.why,
    createdAtMs: row.created_at_ms,
    delivered: { decision: cursors.decision.delivered, outcome: cursors.outcome.delivered },
    failures: all.reduce((sum, { failures }) => sum + failures, 0),
    lag: { decision: await countEntries(db, spec, between("decision")), outcome: await countEntries(db, spec, between("outcome")) },
    lagMs: Number.isFinite(oldestMs) ? Math.max(0, runtime.clock.nowMs() - oldestMs) : 0,
    lastError: all.find(({ lastError }) => lastError !== null)?.lastError ?? null,
    lastErrorAtMs: newest(all.map(({ lastErrorAtMs }) => lastErrorAtMs)),
    lastSuccessAtMs: newest(all.map(({ lastSuccessAtMs }) => lastSuccessAtMs)),
  };
}

const newest = (times: readonly (number | null)[]): number | null =>
  times.reduce<number | null>((a, b) => (b === null ? a : Math.max(a ?? b, b)), null);

/** `sink.state` holds nothing else where it isn't `removed`. */
const asState = (state: string): SinkState => state as SinkState;
