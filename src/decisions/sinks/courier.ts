/** Delivers to one sink: what is recorded, in the order of the log, a batch at a time, each claimed before and acknowledged after. */
import { retryDelayMs } from "../../access/index.ts";
import { StorageError, type Store } from "../../store/index.ts";
import { CursorMoved, type Cursor, type Cursors } from "./cursors.ts";
import { STREAMS, type Stream } from "./document.ts";
import type { LogEnd } from "./log-end.ts";
import { readStretch, type Stretch } from "./read-entries.ts";
import type { SinkSpec } from "./spec.ts";
import { DeliveryFailed, type SinkTarget } from "./target.ts";

export interface CourierOptions {
  readonly spec: SinkSpec;
  readonly target: SinkTarget;
  readonly store: Store;
  readonly cursors: Cursors;
  readonly end: LogEnd;
  /** Told of the first failure after something was delivered. */
  readonly onTrouble: (message: string) => void;
  /** The target said never to come again. */
  readonly onGone: (why: string) => Promise<void>;
}

/** Of requests in one batch, where they go along. */
const BATCH_BYTES = 8 * 1024 * 1024;
/** What is under way when the server stops may still finish for so long. */
const GRACE_MS = 5000;

export class Courier {
  readonly spec: SinkSpec;
  readonly #options: CourierOptions;
  readonly #abort = new AbortController();
  /** When what waits for more was first seen. */
  readonly #gatheringSinceUs = new Map<Stream, number>();
  #running: Promise<void> | undefined;
  #isStopping = false;
  #failures = 0;
  #notBeforeUs = 0;

  constructor(options: CourierOptions) {
    this.spec = options.spec;
    this.#options = options;
  }

  /** Begins to deliver what there is, unless that is under way or the target is being spared. */
  start(): void {
    if (this.#running || this.#isStopping || this.#nowUs < this.#notBeforeUs) return;
    this.#running = this.#run().finally(() => (this.#running = undefined));
  }

  /** Resolves when nothing is under way. Never rejects. */
  async settled(): Promise<void> {
    await this.#running;
  }

  /** What is under way is finished, or given up after a few seconds: it is claimed, and comes again. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const timer = setTimeout(() => this.#abort.abort(), GRACE_MS);
    await this.#running;
    clearTimeout(timer);
    await this.#options.target.close();
  }

  get #nowUs(): number {
    return this.#options.store.runtime.clock.monotonicUs();
  }

  async #run(): Promise<void> {
    const { cursors, end } = this.#options;
    let cursor: Cursor | undefined;
    try {
      const ends = await end.safe();
      const all = await cursors.of(this.spec.name);
      // Outcomes come after the decisions they are about.
      for (const stream of STREAMS) {
        cursor = all[stream];
        await this.#deliverUpTo(ends[stream], cursor, (moved) => (cursor = moved));
      }
      this.#failures = 0;
    } catch (error) {
      await this.#failed(error, cursor);
    }
  }

  /** @param moved - told of every change of the cursor */
  async #deliverUpTo(end: number, from: Cursor, moved: (cursor: Cursor) => void): Promise<void> {
    const { cursors, target } = this.#options;
    let cursor = from;
    let stretch = await this.#next(cursor, end, cursor.position);
    if (stretch && cursor.claimedTo === null && stretch.documents.length > 0) moved((cursor = await cursors.claim(cursor, stretch.upTo)));
    while (stretch && !this.#isStopping) {
      const { upTo, documents } = stretch;
      const { stream, position: after } = cursor;
      const mark =
        documents.length > 0
          ? await target.deliver({ stream, after, upTo, documents, mark: cursor.mark }, this.#abort.signal)
          : cursor.mark;
      this.#failures = 0;
      this.#gatheringSinceUs.delete(stream);
      // Acknowledging one batch and claiming the next is one write.
      stretch = this.#isStopping ? undefined : await this.#next({ ...cursor, claimedTo: null }, end, upTo);
      const next = stretch && stretch.documents.length > 0 ? stretch.upTo : null;
      moved((cursor = await cursors.acknowledge(cursor, { upTo, mark, documents: documents.length, next })));
    }
  }

  /** What comes next; undefined where nothing does, or where it waits for more. A batch that was begun is the same again. */
  async #next({ stream, claimedTo }: Cursor, end: number, after: number): Promise<Stretch | undefined> {
    const { store, target } = this.#options;
    if (claimedTo !== null) {
      const documents: Stretch["documents"][number][] = [];
      for (let from = after; from < claimedTo;) {
        const some = await readStretch(store.db, this.spec, {
          stream,
          after: from,
          upTo: claimedTo,
          limit: Number.MAX_SAFE_INTEGER,
          maxBytes: Number.MAX_SAFE_INTEGER,
        });
        documents.push(...some.documents);
        from = some.upTo;
      }
      return { upTo: claimedTo, documents };
    }
    if (end <= after || this.#gathers(stream, end - after)) return undefined;
    return readStretch(store.db, this.spec, { stream, after, upTo: end, limit: target.batch, maxBytes: BATCH_BYTES });
  }

  /** Whether fewer than a batch may wait for more. */
  #gathers(stream: Stream, numbers: number): boolean {
    const { target } = this.#options;
    if (numbers >= target.batch || target.gatherMs === 0) return false;
    const sinceUs = this.#gatheringSinceUs.get(stream) ?? this.#nowUs;
    this.#gatheringSinceUs.set(stream, sinceUs);
    return this.#nowUs - sinceUs < target.gatherMs * 1000;
  }

  async #failed(error: unknown, cursor: Cursor | undefined): Promise<void> {
    if (this.#isStopping && this.#abort.signal.aborted) return;
    const { store, cursors, onTrouble, onGone } = this.#options;
    const message = error instanceof Error ? error.message : String(error);
    const isOurs = error instanceof StorageError || error instanceof CursorMoved;
    const chance = store.runtime.random.bytes(4).readUInt32BE() / 2 ** 32;
    const askedMs = error instanceof DeliveryFailed ? error.retryAfterMs : 0;
    this.#notBeforeUs = this.#nowUs + Math.round(retryDelayMs(++this.#failures, chance, askedMs) * 1000);
    if (this.#failures === 1) onTrouble(message);
    if (isOurs || !cursor) return;
    try {
      await cursors.failed(cursor, message);
      if (error instanceof DeliveryFailed && error.isFinal) await onGone(message);
    } catch (trouble) {
      onTrouble(trouble instanceof Error ? trouble.message : String(trouble));
    }
  }
}
