/** Which endpoints are mostly answered by stand-ins: another release than the planned one, because that can't answer. Pure but for what it has seen. */
import type { RecordedCount } from "../decisions/index.ts";

/** Fewer answers between two looks tell nothing. */
const ENOUGH = 20;
const MOST = 0.5;

interface Sums {
  readonly count: number;
  readonly fellBack: number;
}

export class StandIns {
  #seen: ReadonlyMap<string, Sums> | undefined;
  readonly #many = new Set<string>();

  /** @param recorded - since the process began; counters that only grow */
  look(recorded: readonly Pick<RecordedCount, "endpoint" | "count" | "fellBack">[]): void {
    const sums = new Map<string, Sums>();
    for (const { endpoint, count, fellBack } of recorded) {
      const known = sums.get(endpoint) ?? { count: 0, fellBack: 0 };
      sums.set(endpoint, { count: known.count + count, fellBack: known.fellBack + fellBack });
    }
    for (const [endpoint, now] of sums) {
      const before = this.#seen?.get(endpoint) ?? { count: 0, fellBack: 0 };
      const answers = now.count - before.count;
      // Silence says nothing: what was last seen holds.
      if (answers < ENOUGH) continue;
      if (now.fellBack - before.fellBack >= MOST * answers) this.#many.add(endpoint);
      else this.#many.delete(endpoint);
    }
    this.#seen = sums;
  }

  areMany(endpoint: string): boolean {
    return this.#many.has(endpoint);
  }
}
