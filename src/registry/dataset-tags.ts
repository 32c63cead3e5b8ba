/** Tags: names for versions of a dataset that move, with who moved them, when, why, from where and to where. */
import type { Transaction } from "kysely";
import type { Audit } from "../access/index.ts";
import type { Schema, Store } from "../store/index.ts";
import { err, ok, type Result } from "../std.ts";
import { labelIssue } from "./names.ts";
import { conflict, invalid, unknown, type Refusal } from "./refusal.ts";

export interface TagMove {
  readonly dataset: string;
  readonly tag: string;
  /** null takes the tag away. */
  readonly number: number | null;
  readonly reason: string;
  /** Move it only if it still points there. */
  readonly expected?: number | null;
  /** Whether whoever asks may move tags that are protected. */
  readonly mayMoveProtected: boolean;
}

export interface TagHistoryEntry {
  readonly tag: string;
  readonly from: number | null;
  readonly to: number | null;
  readonly movedAtMs: number;
  readonly movedBy: string;
  readonly reason: string;
}

/** Where each tag of a dataset points now. */
export async function tagsOf(db: Store["db"], dataset: string): Promise<Readonly<Record<string, number>>> {
  const rows = await db.selectFrom("dataset_tag").select(["tag", "number"]).where("dataset", "=", dataset).orderBy("seq").execute();
  const now = new Map(rows.map(({ tag, number }) => [tag, number]));
  return Object.fromEntries([...now].flatMap(([tag, number]) => (number === null ? [] : [[tag, number]])));
}

/** Part of a transaction that holds the audit's lock. Moving a tag to where it is changes nothing. */
export async function moveTag(
  tx: Transaction<Schema>,
  parts: { readonly store: Store; readonly audit: Audit },
  move: TagMove,
  actor: string,
): Promise<Result<void, Refusal>> {
  const { dataset, tag, number, reason } = move;
  const issue = labelIssue("/tag", tag);
  if (issue) return err(invalid([issue]));
  if (number !== null) {
    const query = tx.selectFrom("dataset_version").select("removed_at_ms").where("dataset", "=", dataset).where("number", "=", number);
    const version = await query.executeTakeFirst();
    if (!version) return err(unknown("dataset version", `${dataset}/${number}`));
    if (version.removed_at_ms !== null) return err(conflict(`the bytes of ${dataset}/${number} were taken away: add them again first`));
  }
  const from = (await tagsOf(tx, dataset))[tag] ?? null;
  if (move.expected !== undefined && move.expected !== from) {
    const query = tx.selectFrom("dataset_tag").select("moved_by").where("dataset", "=", dataset).where("tag", "=", tag);
    const last = await query.orderBy("seq", "desc").limit(1).executeTakeFirst();
    return err(conflict(`${dataset}@${tag} points at ${from ?? "nothing"} by now${last ? `: ${last.moved_by} moved it` : ""}`));
  }
  if (from === number) return ok(undefined);
  const guarded = await guardOf(tx, move);
  if (guarded) return err(guarded);
  const movedAtMs = parts.store.runtime.clock.nowMs();
  await tx.insertInto("dataset_tag").values({ dataset, tag, number, moved_at_ms: movedAtMs, moved_by: actor, reason }).execute();
  await parts.audit.append(tx, {
    actor,
    action: "dataset-tag.moved",
    object: `dataset/${dataset}`,
    payload: { tag, from, to: number, reason },
  });
  return ok(undefined);
}

/** Why this tag isn't for everybody to move; undefined where it may be moved. */
export async function guardOf(
  tx: Transaction<Schema>,
  { dataset, tag, mayMoveProtected }: Pick<TagMove, "dataset" | "tag" | "mayMoveProtected">,
): Promise<Refusal | undefined> {
  if (mayMoveProtected) return undefined;
  const query = tx.selectFrom("dataset_protected_tag").selectAll().where("dataset", "=", dataset).where("tag", "=", tag);
  const guarded = await query.executeTakeFirst();
  const why = `${guarded?.protected_by} protected it: ${guarded?.reason}`;
  return guarded && conflict(`${dataset}@${tag} is protected (${why}): it is moved by those with registry:protected`);
}

/** Oldest first. */
export async function tagHistory(db: Store["db"], dataset: string): Promise<readonly TagHistoryEntry[]> {
  const rows = await db.selectFrom("dataset_tag").selectAll().where("dataset", "=", dataset).orderBy("seq").execute();
  const pointsAt = new Map<string, number | null>();
  return rows.map((row) => {
    const from = pointsAt.get(row.tag) ?? null;
    pointsAt.set(row.tag, row.number);
    return { tag: row.tag, from, to: row.number, movedAtMs: row.moved_at_ms, movedBy: row.moved_by, reason: row.reason };
  });
}
