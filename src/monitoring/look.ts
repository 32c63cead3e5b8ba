/** What one look at an endpoint reads: for each release what its tests count, as cumulative counts by cell. */
import {
  armClassOf,
  matureOutcomes,
  readFlips,
  readLatencyTotals,
  readMatured,
  readScoreTotals,
  type FlipRow,
  type MaturedRow,
  type TotalRow,
} from "../decisions/index.ts";
import { millisecondsOf } from "../duration.ts";
import { assert, unreachable, type ReleaseId } from "../std.ts";
import { canonicalJson, type Store } from "../store/index.ts";
import {
  actionsAmong,
  flips,
  matured,
  netFlips,
  scoresOf,
  selections,
  shadowFailures,
  slowAmong,
  substitutions,
  type Tallied,
} from "./counting.ts";
import type { Counted, PlannedTest } from "./plan.ts";
import type { TestOwner } from "./test-record.ts";
import { edgesOf } from "./value-buckets.ts";
import type { WatchedEndpoint } from "./watched.ts";

export interface Look {
  readonly store: Store;
  readonly watched: WatchedEndpoint;
  /** Totals of every watched release. */
  readonly rows: ReadonlyMap<ReleaseId, readonly TotalRow[]>;
}

/** One thing that is counted of a release. */
export interface TalliedThing {
  readonly tallied: Tallied;
  /** Only counts of the same context can be compared; null: with none. */
  readonly context: string | null;
  /** What became of its decisions, where that is counted: whether it is known of everybody alike. */
  readonly matured?: readonly MaturedRow[];
}
/** All that the tests of a release count. */
export interface Tallies {
  of(counted: Counted): TalliedThing;
  /** In one text; counts only grow, so it changes when any has. */
  readonly seen: string;
}

/** Turns at the log in one look: an old log is counted over several looks. */
const TURNS = 5;

/** Counts what has become of decisions for every age at which a guardrail looks. */
export async function matureAll(store: Store, { endpoint, guardrails }: WatchedEndpoint): Promise<void> {
  const ages = new Set(guardrails.flatMap(({ matures_after }) => (matures_after === undefined ? [] : millisecondsOf(matures_after))));
  for (const maturesAfterMs of ages)
    for (let turn = 0; turn < TURNS; turn++) if (await matureOutcomes(store, { endpoint, maturesAfterMs })) break;
}

/** Everything that the planned tests of a release count, each thing counted once. */
export async function tallyFor(look: Look, owner: TestOwner, plans: readonly PlannedTest[]): Promise<Tallies> {
  const things = new Map<string, TalliedThing>();
  const isSeen: string[] = [];
  const reader = new ReleaseReader(look, owner);
  for (const { counted } of plans) {
    const key = keyOf(counted);
    if (things.has(key)) continue;
    const thing = await reader.read(counted);
    things.set(key, thing);
    isSeen.push(`${key} ${thing.context} ${sumsOf(thing)}`);
  }
  return {
    seen: isSeen.join("; "),
    of(counted) {
      const thing = things.get(keyOf(counted));
      assert(thing, `${counted.kind} are planned and counted`);
      return thing;
    },
  };
}

/** Reads what is asked for, and what several ask for once. */
class ReleaseReader {
  readonly #look: Look;
  readonly #owner: TestOwner;
  readonly #mine: readonly TotalRow[];
  #flips: Promise<readonly FlipRow[]> | undefined;

  constructor(look: Look, owner: TestOwner) {
    this.#look = look;
    this.#owner = owner;
    this.#mine = (look.rows.get(owner.release) ?? []).filter((row) => armClassOf(row.arm) === owner.armClass);
  }

  async read(counted: Counted): Promise<TalliedThing> {
    const { store, watched, rows: totals } = this.#look;
    const { favourable, route } = watched;
    const { endpoint, release, armClass } = this.#owner;
    switch (counted.kind) {
      case "selections":
        return { tallied: { kind: "totals", cells: selections(this.#mine, favourable) }, context: "" };
      case "actions":
        return { tallied: { kind: "totals", cells: actionsAmong(this.#mine, counted.actions) }, context: "" };
      case "flips":
        return { tallied: { kind: "totals", cells: flips(await this.#pairs(), favourable) }, context: "" };
      case "net-flips":
        return { tallied: { kind: "values", cells: netFlips(await this.#pairs(), favourable) }, context: "" };
      case "substitutions": {
        if (armClass === "shadow") return { tallied: { kind: "totals", cells: shadowFailures(this.#mine) }, context: "" };
        if (!route) return { tallied: { kind: "totals", cells: new Map() }, context: null };
        const { cells, context } = substitutions(release, route, totals, store.runtime.clock.nowMs());
        return { tallied: { kind: "totals", cells }, context };
      }
      case "slow": {
        const rows = await readLatencyTotals(store.db, { endpoint, release });
        const mine = rows.filter((row) => armClassOf(row.arm) === armClass);
        return { tallied: { kind: "totals", cells: slowAmong(mine, counted.slowerThanMs) }, context: "" };
      }
      case "scores": {
        const rows = await readScoreTotals(store.db, { endpoint, release });
        const mine = rows.filter((row) => armClassOf(row.arm) === armClass);
        return { tallied: { kind: "values", cells: scoresOf(mine, edgesOf("scores") ?? []) }, context: "" };
      }
      case "outcomes": {
        const found = await readMatured(store.db, { endpoint, maturesAfterMs: counted.maturesAfterMs }, release);
        const mine = (found ?? []).filter((row) => armClassOf(row.arm) === armClass);
        const cells = matured(mine, counted.part, favourable);
        return { tallied: { kind: "totals", cells }, context: found === null ? null : "", matured: mine };
      }
      default:
        return unreachable(counted);
    }
  }

  #pairs(): Promise<readonly FlipRow[]> {
    const { endpoint, release } = this.#owner;
    return (this.#flips ??= readFlips(this.#look.store.db, { endpoint, shadowRelease: release }));
  }
}

const keyOf = (counted: Counted): string => (Object.keys(counted).length === 1 ? counted.kind : canonicalJson(counted));

function sumsOf({ tallied, matured: outcomes }: TalliedThing): string {
  const known = outcomes ? ` ${outcomes.reduce((sum, { count }) => sum + count, 0)}` : "";
  if (tallied.kind === "totals") {
    let [n, k] = [0, 0];
    for (const cell of tallied.cells.values()) {
      n += cell.n;
      k += cell.k;
    }
    return `${n} ${k}${known}`;
  }
  const values = [...tallied.cells.values()];
  const sum = (of: (one: (typeof values)[number]) => readonly number[]) =>
    values.reduce((all, one) => all + of(one).reduce((cell, value) => cell + value, 0), 0);
  return `${sum(({ count }) => count)} ${sum(({ sum: all }) => all)}`;
}
