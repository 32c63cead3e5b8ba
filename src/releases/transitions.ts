/** The shell of the route table: stores a transition together with its audit entry, or nothing at all. */
import type { Transaction } from "kysely";
import type { Audit } from "../access/index.ts";
import { assert, err, ok, type EndpointName, type Result } from "../std.ts";
import { canonicalJson, type Schema, type Store } from "../store/index.ts";
import { NO_RULES, decide, intentOf, type Command, type Rejection, type Rules } from "./route-commands.ts";
import { brokenInvariants, emptyTable, evolve, type RouteTable } from "./route-table.ts";
import { bodyOf, parseTransition, type Transition } from "./transition.ts";

export interface Recorded {
  readonly table: RouteTable;
  readonly transition: Transition;
  /** False when the command had been applied before: `transition` is then what it did at that time. */
  readonly isNew: boolean;
}

/** All transitions of an endpoint, oldest first: its table is their fold. */
export async function readTransitions(db: Store["db"], endpoint: EndpointName): Promise<readonly Transition[]> {
  const rows = await db.selectFrom("transition").selectAll().where("endpoint", "=", endpoint).orderBy("generation").execute();
  return rows.map(parseTransition);
}

export class Transitions {
  readonly #store: Store;
  readonly #audit: Audit;

  constructor(store: Store, audit: Audit) {
    this.#store = store;
    this.#audit = audit;
  }

  /** All transitions of an endpoint, oldest first: its table is their fold. */
  all(endpoint: EndpointName): Promise<readonly Transition[]> {
    return readTransitions(this.#store.db, endpoint);
  }

  /** The endpoint's table as stored. */
  async table(endpoint: EndpointName): Promise<RouteTable> {
    return (await this.all(endpoint)).reduce<RouteTable>(evolve, emptyTable);
  }

  /**
   * Applies a command inside the caller's transaction, which may hold more that belongs to it (an incident, a new release).
   * @param known - any committed table of the endpoint; what happened since is read and folded in first, so that several
   *   processes can write, and none decides on a table that has moved on
   * @param rules - what the endpoint's definition asks of commands now
   */
  async record(
    tx: Transaction<Schema>,
    endpoint: EndpointName,
    known: RouteTable,
    command: Command,
    rules: Rules = NO_RULES,
  ): Promise<Result<Recorded, Rejection>> {
    await this.#audit.lock(tx);
    const rows = await tx
      .selectFrom("transition")
      .selectAll()
      .where("endpoint", "=", endpoint)
      .where((eb) => eb.or([eb("command", "=", command.id), eb("generation", ">", known.generation)]))
      .orderBy("generation")
      .execute();
    const read = rows.map(parseTransition);
    const table = read.filter(({ generation }) => generation > known.generation).reduce<RouteTable>(evolve, known);
    const before = read.find((transition) => transition.command === command.id);
    if (before)
      return before.intent === intentOf(command)
        ? ok({ table, transition: before, isNew: false })
        : err({ kind: "command-id-reused", command: command.id });
    const decided = decide(table, command, rules);
    if (!decided.ok) return decided;
    const transition = decided.value;
    assert(transition !== null, `command ${command.id} is applied in the table but not stored`);
    const next = evolve(table, transition);
    const broken = brokenInvariants(next);
    assert(broken.length === 0, `${transition.change.kind} would break ${broken.join("; ")}`);
    await this.#insert(tx, endpoint, transition);
    return ok({ table: next, transition, isNew: true });
  }

  async #insert(tx: Transaction<Schema>, endpoint: EndpointName, transition: Transition): Promise<void> {
    const { generation, command, actor, reason, atMs, change } = transition;
    await tx
      .insertInto("transition")
      .values({
        endpoint,
        generation,
        command,
        kind: change.kind,
        body_json: canonicalJson(bodyOf(transition)),
        actor: actor.name,
        reason,
        at_ms: atMs,
      })
      .execute();
    await this.#audit.append(tx, {
      actor: actor.name,
      action: `route.${change.kind}`,
      object: `endpoint/${endpoint}`,
      payload: { generation, command, reason, change: { ...change } },
    });
  }

  /** Newest first. @param before - only transitions older than this generation */
  async list(endpoint: EndpointName, page: { readonly before?: number; readonly limit?: number } = {}): Promise<readonly Transition[]> {
    let query = this.#store.db.selectFrom("transition").selectAll().where("endpoint", "=", endpoint);
    if (page.before !== undefined) query = query.where("generation", "<", page.before);
    const rows = await query
      .orderBy("generation", "desc")
      .limit(Math.max(1, Math.min(page.limit ?? 50, 1000)))
      .execute();
    return rows.map(parseTransition);
  }
}
