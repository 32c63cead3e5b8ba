/** What the hot path tells about one request, where somebody wants to know. Where nobody does, there is none of it. */
import type { TraceContext } from "./trace-context.ts";

/** A span: a part of the work on a request, from its beginning on. */
export interface TraceStep {
  /** For whoever is asked within it; undefined where nothing goes along. */
  readonly context: TraceContext | undefined;
  /** @param trouble - why it came to nothing */
  end(trouble?: string): void;
}

/** One request's place in a trace. */
export interface RequestTrace {
  /** What it came with, or what was begun for it: goes along to model servers. */
  readonly context: TraceContext | undefined;
  /** Begins a part of the work; only where traces are on. */
  readonly begin?: (step: "score" | "commit", attributes: TraceAttributes) => TraceStep;
  /** What became of it; only where traces are on. */
  readonly note?: (attributes: TraceAttributes) => void;
}

/** Names of declared things and numbers: nothing about a person, and no group. */
export type TraceAttributes = Readonly<Record<`evenkeel.${string}`, string | number | boolean>>;
