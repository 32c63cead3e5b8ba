/** Requests for decisions by minute, those without an answer among them: they are in no log, so they are counted where they come in. */
import { minuteOf } from "../decisions/index.ts";
import type { PlannedCount } from "../serving/index.ts";
import type { Store } from "../store/index.ts";

/** Counts of an endpoint since this process began. */
export interface RequestCount {
  readonly endpoint: string;
  readonly answered: number;
  readonly unanswered: number;
  readonly rejected: number;
}

export class RequestTally {
  readonly #store: Store;
  readonly #written = new Map<string, RequestCount>();
  readonly #plannedWritten = new Map<string, PlannedCount>();
  #turn: Promise<void> = Promise.resolve();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Writes what has come since the last time, one time after the other; what isn't written when the process dies is lost. */
  write(counts: readonly RequestCount[], planned: readonly PlannedCount[]): Promise<void> {
    const done = this.#turn.then(async () => {
      await this.#write(counts);
      await this.#writePlanned(planned);
    });
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #write(counts: readonly RequestCount[]): Promise<void> {
    const minute = minuteOf(this.#store.runtime.clock.nowMs());
    const fresh = counts.flatMap((count) => {
      const before = this.#written.get(count.endpoint);
      const rejected = count.rejected - (before?.rejected ?? 0);
      const failed = count.unanswered - (before?.unanswered ?? 0);
      const requests = rejected + failed + count.answered - (before?.answered ?? 0);
      return requests === 0 ? [] : [{ endpoint: count.endpoint, minute, writer: this.#store.writer, requests, rejected, failed }];
    });
    if (fresh.length === 0) return;
    await this.#store.db
      .insertInto("request_tally")
      .values(fresh)
      .onConflict((conflict) =>
        conflict.columns(["endpoint", "minute", "writer"]).doUpdateSet((eb) => ({
          requests: eb("request_tally.requests", "+", eb.ref("excluded.requests")),
          rejected: eb("request_tally.rejected", "+", eb.ref("excluded.rejected")),
          failed: eb("request_tally.failed", "+", eb.ref("excluded.failed")),
        })),
      )
      .execute();
    for (const count of counts) this.#written.set(count.endpoint, count);
  }

  async #writePlanned(planned: readonly PlannedCount[]): Promise<void> {
    const minute = minuteOf(this.#store.runtime.clock.nowMs());
    const fresh = planned.flatMap(({ endpoint, release, arm, asked, failed }) => {
      const before = this.#plannedWritten.get(placeOf({ release, arm }));
      const more = { asked: asked - (before?.asked ?? 0), failed: failed - (before?.failed ?? 0) };
      return more.asked === 0 ? [] : [{ endpoint, release, arm, minute, writer: this.#store.writer, ...more }];
    });
    if (fresh.length === 0) return;
    await this.#store.db
      .insertInto("planned_tally")
      .values(fresh)
      .onConflict((conflict) =>
        conflict.columns(["endpoint", "release", "arm", "minute", "writer"]).doUpdateSet((eb) => ({
          asked: eb("planned_tally.asked", "+", eb.ref("excluded.asked")),
          failed: eb("planned_tally.failed", "+", eb.ref("excluded.failed")),
        })),
      )
      .execute();
    for (const count of planned) this.#plannedWritten.set(placeOf(count), count);
  }
}

const placeOf = ({ release, arm }: Pick<PlannedCount, "release" | "arm">): string => `${release} ${arm}`;
