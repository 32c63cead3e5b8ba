/** How many transitions an endpoint has seen, of which kind, and what caused its rollbacks. */
import type { Store } from "../store/index.ts";
import type { EndpointRoom } from "./endpoint-room.ts";
import { parseTransition, type Change, type Transition } from "./transition.ts";

/** What a rollback was made by: a guardrail's proof, a release that couldn't answer, or a person. */
export const rollbackTriggers = ["guardrail", "failure", "person"] as const;
export type RollbackTrigger = (typeof rollbackTriggers)[number];

/** Since the endpoint was declared; the same from every server on one database. */
export interface TransitionTotals {
  readonly kinds: ReadonlyMap<Change["kind"], number>;
  readonly rollbacks: ReadonlyMap<RollbackTrigger, number>;
}

const NONE: TransitionTotals = { kinds: new Map(), rollbacks: new Map() };

/** Reads each transition once: asking again costs nothing until there is another one. */
export class TransitionCounts {
  readonly #db: Store["db"];
  readonly #known = new Map<string, { readonly generation: number; readonly totals: TransitionTotals }>();

  constructor(db: Store["db"]) {
    this.#db = db;
  }

  async of({ name, table: { generation } }: EndpointRoom): Promise<TransitionTotals> {
    const known = this.#known.get(name) ?? { generation: 0, totals: NONE };
    if (known.generation >= generation) return known.totals;
    const rows = await this.#db
      .selectFrom("transition")
      .selectAll()
      .where("endpoint", "=", name)
      .where("generation", ">", known.generation)
      .where("generation", "<=", generation)
      .execute();
    // From what was known when it was asked, so that two who ask at once don't count twice.
    const totals = rows.map(parseTransition).reduce(counted, known.totals);
    this.#known.set(name, { generation, totals });
    return totals;
  }
}

function counted({ kinds, rollbacks }: TransitionTotals, { change, actor }: Transition): TransitionTotals {
  return {
    kinds: added(kinds, change.kind),
    rollbacks: change.kind === "rolled-back" ? added(rollbacks, triggerOf(actor)) : rollbacks,
  };
}

const added = <K>(counts: ReadonlyMap<K, number>, key: K): ReadonlyMap<K, number> => new Map(counts).set(key, (counts.get(key) ?? 0) + 1);

function triggerOf({ kind, name }: Transition["actor"]): RollbackTrigger {
  if (kind === "person") return "person";
  return name.startsWith("guardrail:") ? "guardrail" : "failure";
}
