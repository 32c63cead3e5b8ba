/** How far each sink has come: moved only after its target has taken what lies before. */
import type { Insertable, Selectable } from "kysely";
import type { Schema, Store } from "../../store/index.ts";
import { STREAMS, type Stream } from "./document.ts";

export interface Cursor {
  readonly sink: string;
  readonly stream: Stream;
  readonly position: number;
  /** The end of the batch that was begun; null where none is. */
  readonly claimedTo: number | null;
  readonly mark: string | null;
  readonly delivered: number;
  readonly failures: number;
  readonly lastError: string | null;
  readonly lastErrorAtMs: number | null;
  readonly lastSuccessAtMs: number | null;
}

/** The row of a sink that has delivered nothing yet, and begins after `position`. */
export const newCursor = (sink: string, stream: Stream, position: number): Insertable<Schema["sink_cursor"]> => ({
  sink,
  stream,
  position,
  claimed_to: null,
  mark: null,
  delivered: 0,
  failures: 0,
  last_error: null,
  last_error_at_ms: null,
  last_success_at_ms: null,
});

/** Another process has moved this cursor: it delivers now. */
export class CursorMoved extends Error {
  override readonly name = "CursorMoved";
}

/**
 * Every change names the position it was made from, so a process that only believes to be the one that delivers changes nothing.
 * Plain statements, not the store's transactions: the room that is kept on a full disk is for rollbacks.
 */
export class Cursors {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async of(sink: string): Promise<Readonly<Record<Stream, Cursor>>> {
    const rows = await this.#store.db.selectFrom("sink_cursor").selectAll().where("sink", "=", sink).execute();
    const cursors = STREAMS.map((stream) =>
      cursorOf(
        sink,
        stream,
        rows.find((row) => row.stream === stream),
      ),
    );
    return asByStream(cursors);
  }

  /** Says which batch comes next, before it is sent. */
  async claim(cursor: Cursor, upTo: number): Promise<Cursor> {
    await this.#move(cursor, { claimed_to: upTo });
    return { ...cursor, claimedTo: upTo };
  }

  /** The target has all up to `upTo`; `next` is the end of the batch that follows at once. */
  async acknowledge(
    cursor: Cursor,
    taken: { readonly upTo: number; readonly mark: string | null; readonly documents: number; readonly next: number | null },
  ): Promise<Cursor> {
    const { upTo: position, next: claimedTo, mark, documents } = taken;
    const delivered = cursor.delivered + documents;
    const told =
      documents > 0
        ? { lastError: null, lastSuccessAtMs: this.#store.runtime.clock.nowMs() }
        : { lastError: cursor.lastError, lastSuccessAtMs: cursor.lastSuccessAtMs };
    await this.#move(cursor, {
      position,
      claimed_to: claimedTo,
      mark,
      delivered,
      last_error: told.lastError,
      last_success_at_ms: told.lastSuccessAtMs,
    });
    return { ...cursor, ...told, position, claimedTo, mark, delivered };
  }

  async failed(cursor: Cursor, error: string): Promise<void> {
    await this.#move(cursor, {
      failures: cursor.failures + 1,
      last_error: error.slice(0, 500),
      last_error_at_ms: this.#store.runtime.clock.nowMs(),
    });
  }

  async #move({ sink, stream, position }: Cursor, to: Partial<Omit<Schema["sink_cursor"], "sink" | "stream">>): Promise<void> {
    const { numUpdatedRows } = await this.#store.db
      .updateTable("sink_cursor")
      .set(to)
      .where("sink", "=", sink)
      .where("stream", "=", stream)
      .where("position", "=", position)
      .executeTakeFirst();
    if (numUpdatedRows !== 1n) throw new CursorMoved(`the cursor of ${sink} isn't where this process left it`);
  }
}

function cursorOf(sink: string, stream: Stream, row: Selectable<Schema["sink_cursor"]> | undefined): Cursor {
  return {
    sink,
    stream,
    position: row?.position ?? 0,
    claimedTo: row?.claimed_to ?? null,
    mark: row?.mark ?? null,
    delivered: row?.delivered ?? 0,
    failures: row?.failures ?? 0,
    lastError: row?.last_error ?? null,
    lastErrorAtMs: row?.last_error_at_ms ?? null,
    lastSuccessAtMs: row?.last_success_at_ms ?? null,
  };
}

/** One of each stream. */
const asByStream = (cursors: readonly Cursor[]): Readonly<Record<Stream, Cursor>> =>
  Object.fromEntries(cursors.map((cursor) => [cursor.stream, cursor])) as Record<Stream, Cursor>;
