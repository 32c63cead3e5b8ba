/** Aliases of a model: where each points, where it has been, and which of them not everybody may move. */
import type { Transaction } from "kysely";
import type { Audit } from "../access/index.ts";
import { err, ok, type Result } from "../std.ts";
import type { Schema, Store } from "../store/index.ts";
import { aliasIssue } from "./names.ts";
import { conflict, forbidden, invalid, unknown, type Refusal } from "./refusal.ts";

export interface AliasMove {
  readonly model: string;
  readonly alias: string;
  /** null takes the alias away. */
  readonly number: number | null;
  readonly reason: string;
  /** Move it only if it still points there. */
  readonly expected?: number | null;
  /** Whoever moves it may move protected ones. */
  readonly mayMoveProtected?: boolean;
}

export interface AliasHistoryEntry {
  readonly alias: string;
  readonly from: number | null;
  readonly to: number | null;
  readonly movedAtMs: number;
  readonly movedBy: string;
  readonly reason: string;
}

export interface AliasProtection {
  readonly alias: string;
  readonly protectedAtMs: number;
  readonly protectedBy: string;
  readonly reason: string;
}

export interface AliasGuard {
  readonly model: string;
  readonly alias: string;
  /** false lets everybody who writes to the registry move it again. */
  readonly isProtected: boolean;
  readonly reason: string;
}

interface Parts {
  readonly store: Store;
  readonly audit: Audit;
}

/** Where each alias of a model points now. */
export async function aliasesOf(db: Store["db"] | Transaction<Schema>, model: string): Promise<Readonly<Record<string, number>>> {
  const rows = await db.selectFrom("model_alias").select(["alias", "number"]).where("model", "=", model).orderBy("seq").execute();
  const now = new Map(rows.map(({ alias, number }) => [alias, number]));
  return Object.fromEntries([...now].flatMap(([alias, number]) => (number === null ? [] : [[alias, number]])));
}

/** Oldest first. */
export async function aliasHistory(db: Store["db"], model: string): Promise<readonly AliasHistoryEntry[]> {
  const rows = await db.selectFrom("model_alias").selectAll().where("model", "=", model).orderBy("seq").execute();
  const at = new Map<string, number | null>();
  return rows.map((row) => {
    const from = at.get(row.alias) ?? null;
    at.set(row.alias, row.number);
    return { alias: row.alias, from, to: row.number, movedAtMs: row.moved_at_ms, movedBy: row.moved_by, reason: row.reason };
  });
}

/** By alias; only those that are protected. */
export async function aliasProtections(db: Store["db"], model: string): Promise<readonly AliasProtection[]> {
  const rows = await db.selectFrom("model_protected_alias").selectAll().where("model", "=", model).orderBy("alias").execute();
  return rows.map((row) => ({ alias: row.alias, protectedAtMs: row.protected_at_ms, protectedBy: row.protected_by, reason: row.reason }));
}

/** Moves an alias; its history keeps where it pointed. Of two who move it at once, both told where it is, one is told who was quicker. */
export async function moveAlias({ store, audit }: Parts, move: AliasMove, actor: string): Promise<Result<void, Refusal>> {
  const { model, alias, number, reason } = move;
  const issue = aliasIssue("/alias", alias);
  if (issue) return err(invalid([issue]));
  return store.transaction(async (tx): Promise<Result<void, Refusal>> => {
    await audit.lock(tx);
    if (number !== null) {
      const versions = tx.selectFrom("model_version").select("id").where("deleted_at_ms", "is", null);
      const query = versions.where("model", "=", model).where("number", "=", number);
      if (!(await query.executeTakeFirst())) return err(unknown("model version", `${model}/${number}`));
    }
    const from = (await aliasesOf(tx, model))[alias] ?? null;
    if (move.expected !== undefined && move.expected !== from) return err(await movedBefore(tx, { model, alias, from }));
    if (from === number) return ok(undefined);
    const guard = move.mayMoveProtected === true ? undefined : await guardOf(tx, model, alias);
    if (guard)
      return err(
        forbidden(
          `${model}@${alias} is protected (${guard.protected_by}: ${guard.reason}): it is moved by those with registry:protected, with \`evenkeel models alias\``,
        ),
      );
    const movedAtMs = store.runtime.clock.nowMs();
    await tx.insertInto("model_alias").values({ model, alias, number, moved_at_ms: movedAtMs, moved_by: actor, reason }).execute();
    const payload = { alias, from, to: number, reason };
    await audit.append(tx, { actor, action: "model-alias.moved", object: `model/${model}`, payload });
    return ok(undefined);
  });
}

/** Says that only those who may move protected aliases move this one, or that everybody may again. Said twice, it changes nothing. */
export async function guardAlias({ store, audit }: Parts, guard: AliasGuard, actor: string): Promise<Result<void, Refusal>> {
  const { model, alias, isProtected, reason } = guard;
  const issue = aliasIssue("/alias", alias);
  if (issue) return err(invalid([issue]));
  return store.transaction(async (tx): Promise<Result<void, Refusal>> => {
    await audit.lock(tx);
    const known = await tx
      .selectFrom("model")
      .select("name")
      .where("name", "=", model)
      .where("deleted_at_ms", "is", null)
      .executeTakeFirst();
    if (!known) return err(unknown("model", model));
    if (((await guardOf(tx, model, alias)) !== undefined) === isProtected) return ok(undefined);
    const row = { model, alias, protected_at_ms: store.runtime.clock.nowMs(), protected_by: actor, reason };
    if (isProtected) await tx.insertInto("model_protected_alias").values(row).execute();
    else await tx.deleteFrom("model_protected_alias").where("model", "=", model).where("alias", "=", alias).execute();
    const action = isProtected ? "model-alias.protected" : "model-alias.freed";
    await audit.append(tx, { actor, action, object: `model/${model}`, payload: { alias, reason } });
    return ok(undefined);
  });
}

async function movedBefore(
  tx: Transaction<Schema>,
  { model, alias, from }: { readonly model: string; readonly alias: string; readonly from: number | null },
): Promise<Refusal> {
  const last = await tx
    .selectFrom("model_alias")
    .select(["moved_by", "reason"])
    .where("model", "=", model)
    .where("alias", "=", alias)
    .orderBy("seq", "desc")
    .limit(1)
    .executeTakeFirst();
  return conflict(`${model}@${alias} points at ${from ?? "nothing"} by now${last ? `: ${last.moved_by} moved it (${last.reason})` : ""}`);
}

const guardOf = (tx: Transaction<Schema>, model: string, alias: string) =>
  tx.selectFrom("model_protected_alias").selectAll().where("model", "=", model).where("alias", "=", alias).executeTakeFirst();
