/** What a sink delivers to. */
import type { SinkDocument, Stream } from "./document.ts";

/** Documents on their way. After a crash or a failure the very same batch comes again. */
export interface SinkBatch {
  readonly stream: Stream;
  /** Of the log: above `after`, up to and including `upTo`. They name the batch. */
  readonly after: number;
  readonly upTo: number;
  /** In order; at least one. */
  readonly documents: readonly SinkDocument[];
  /** What `deliver` said of the last batch that was taken; null before the first. */
  readonly mark: string | null;
}

/** One of each kind. Called for one batch at a time. */
export interface SinkTarget {
  /** Documents in one batch at most. */
  readonly batch: number;
  /** Smaller batches wait so long for more; 0 where none waits. */
  readonly gatherMs: number;
  /**
   * Resolves once the target has all of it for good. What it has already, it has once.
   * @returns what it wants to be told with the next batch
   * @throws DeliveryFailed
   */
  deliver(batch: SinkBatch, signal: AbortSignal): Promise<string | null>;
  /** Whether it would take something now. @throws DeliveryFailed */
  probe(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** The target didn't take it. Messages are for people, and never hold a secret. */
export class DeliveryFailed extends Error {
  override readonly name = "DeliveryFailed";
  /** The target said never to come again. */
  readonly isFinal: boolean;
  /** It asked to be spared for so long. */
  readonly retryAfterMs: number;
  constructor(message: string, options: { readonly isFinal?: boolean; readonly retryAfterMs?: number; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.isFinal = options.isFinal ?? false;
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }
}
