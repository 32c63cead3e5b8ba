/** Versions that are kept, and versions whose bytes are taken away: pins, protected tags, removal and the sweep of what nobody needs. */
import type { Selectable, Transaction } from "kysely";
import type { Audit } from "../access/index.ts";
import { BlobError, type Schema, type Store } from "../store/index.ts";
import { err, ok, type BlobId, type Result } from "../std.ts";
import { datasetBlobs, otherUses } from "./blob-uses.ts";
import { holdsOf, releasesOf } from "./dataset-needs.ts";
import { versionOf } from "./dataset-version.ts";
import { folderIn } from "./folder-manifest.ts";
import type { Lineage } from "./lineage.ts";
import { labelIssue } from "./names.ts";
import { conflict, invalid, unknown, type Refusal } from "./refusal.ts";

const DAY_MS = 86_400_000;
/** A pack that no recipe names may belong to an addition that is under way. */
const PACK_SETTLES_MS = 3_600_000;

export interface SweptVersion {
  readonly dataset: string;
  readonly number: number;
  readonly bytes: number;
  readonly createdAtMs: number;
}
export interface Sweep {
  /** Versions whose bytes went, or would go. */
  readonly removed: readonly SweptVersion[];
  readonly kept: readonly (SweptVersion & { readonly because: readonly string[] })[];
  /** Room in chunks that no version needs any more. */
  readonly freeBytes: number;
  /** In packs that were written anew: the old ones go with the first sweep an hour later. */
  readonly freeLaterBytes: number;
}

export interface VersionCheck {
  readonly dataset: string;
  readonly number: number;
  /** What is wrong with it; empty for a version that is as it was added. */
  readonly problems: readonly string[];
}

export class DatasetKeeping {
  readonly #store: Store;
  readonly #audit: Audit;
  readonly #lineage: Lineage;

  constructor(store: Store, audit: Audit, lineage: Lineage) {
    this.#store = store;
    this.#audit = audit;
    this.#lineage = lineage;
  }

  /** Keeps a version's bytes until it is unpinned. A pin that is there stays as it is. */
  async pin(
    pin: { readonly dataset: string; readonly number: number; readonly isPinned: boolean; readonly reason: string },
    actor: string,
  ): Promise<Result<void, Refusal>> {
    const { dataset, number, isPinned, reason } = pin;
    return this.#store.transaction(async (tx) => {
      await this.#audit.lock(tx);
      const row = await versionRow(tx, dataset, number);
      if (!row) return err(unknown("dataset version", `${dataset}/${number}`));
      if (isPinned && row.removed_at_ms !== null)
        return err(conflict(`the bytes of ${dataset}/${number} were taken away: there is nothing left to keep`));
      const pins = tx.selectFrom("dataset_pin").selectAll().where("dataset", "=", dataset).where("number", "=", number);
      if (((await pins.executeTakeFirst()) !== undefined) === isPinned) return ok(undefined);
      if (isPinned) {
        const pinnedAtMs = this.#store.runtime.clock.nowMs();
        await tx.insertInto("dataset_pin").values({ dataset, number, reason, pinned_at_ms: pinnedAtMs, pinned_by: actor }).execute();
      } else await tx.deleteFrom("dataset_pin").where("dataset", "=", dataset).where("number", "=", number).execute();
      const action = isPinned ? "dataset-version.pinned" : "dataset-version.unpinned";
      await this.#audit.append(tx, { actor, action, object: `dataset/${dataset}`, payload: { number, reason } });
      return ok(undefined);
    });
  }

  /** From then on only those who may take versions away move the tag. */
  async protectTag(
    asked: { readonly dataset: string; readonly tag: string; readonly isProtected: boolean; readonly reason: string },
    actor: string,
  ): Promise<Result<void, Refusal>> {
    const { dataset, tag, isProtected, reason } = asked;
    const issue = labelIssue("/tag", tag);
    if (issue) return err(invalid([issue]));
    return this.#store.transaction(async (tx) => {
      await this.#audit.lock(tx);
      if (!(await tx.selectFrom("dataset").select("name").where("name", "=", dataset).executeTakeFirst()))
        return err(unknown("dataset", dataset));
      const known = await tx
        .selectFrom("dataset_protected_tag")
        .selectAll()
        .where("dataset", "=", dataset)
        .where("tag", "=", tag)
        .executeTakeFirst();
      if ((known !== undefined) === isProtected) return ok(undefined);
      const atMs = this.#store.runtime.clock.nowMs();
      if (isProtected) {
        await tx.insertInto("dataset_protected_tag").values({ dataset, tag, reason, protected_at_ms: atMs, protected_by: actor }).execute();
      } else await tx.deleteFrom("dataset_protected_tag").where("dataset", "=", dataset).where("tag", "=", tag).execute();
      const action = isProtected ? "dataset-tag.protected" : "dataset-tag.unprotected";
      await this.#audit.append(tx, { actor, action, object: `dataset/${dataset}`, payload: { tag, reason } });
      return ok(undefined);
    });
  }

  /** Pins and protected tags of a dataset. */
  async held(dataset: string): Promise<{
    readonly pins: readonly { readonly number: number; readonly reason: string; readonly by: string; readonly atMs: number }[];
    readonly protectedTags: readonly string[];
  }> {
    const { db } = this.#store;
    const pins = await db.selectFrom("dataset_pin").selectAll().where("dataset", "=", dataset).orderBy("number").execute();
    const tags = await db.selectFrom("dataset_protected_tag").select("tag").where("dataset", "=", dataset).orderBy("tag").execute();
    return {
      pins: pins.map((pin) => ({ number: pin.number, reason: pin.reason, by: pin.pinned_by, atMs: pin.pinned_at_ms })),
      protectedTags: tags.map(({ tag }) => tag),
    };
  }

  /** Takes a version's bytes away. What is known of it stays: number, ids, profile. */
  async remove(dataset: string, number: number, actor: string, reason: string): Promise<Result<void, Refusal>> {
    const row = await versionRow(this.#store.db, dataset, number);
    if (!row) return err(unknown("dataset version", `${dataset}/${number}`));
    if (row.removed_at_ms !== null) return ok(undefined);
    const done = await this.#markRemoved(row, actor, reason);
    if (done.ok) await this.#dropBytes([row]);
    return done;
  }

  /**
   * Takes the bytes of all versions away that nobody needs: not the newest of their dataset, no tag, no pin, no release that answered within
   * its time of retention, and older than asked for.
   */
  async sweep(asked: { readonly isTrial: boolean; readonly olderThanDays: number }, actor: string): Promise<Sweep> {
    const { db, blobs, runtime } = this.#store;
    const nowMs = runtime.clock.nowMs();
    const rows = await db.selectFrom("dataset_version").selectAll().orderBy("dataset").orderBy("number").execute();
    const newest = new Map(rows.map(({ dataset, number }) => [dataset, number]));
    const removed: SweptVersion[] = [];
    const kept: (SweptVersion & { readonly because: readonly string[] })[] = [];
    const gone: Selectable<Schema["dataset_version"]>[] = rows.filter(({ removed_at_ms: atMs }) => atMs !== null);
    for (const row of rows) {
      if (row.removed_at_ms !== null) continue;
      const { dataset, number, bytes, created_at_ms: createdAtMs } = row;
      const because = [
        ...(newest.get(dataset) === number ? ["the newest version"] : []),
        ...(await holdsOf(db, row)),
        ...(await releasesOf(this.#store, this.#lineage, row)),
        ...(createdAtMs > nowMs - asked.olderThanDays * DAY_MS ? [`added less than ${asked.olderThanDays} days ago`] : []),
      ];
      const version = { dataset, number, bytes, createdAtMs };
      // Somebody may have tagged it since: then it is kept after all.
      if (because.length > 0) kept.push({ ...version, because });
      else if (asked.isTrial) removed.push(version);
      else {
        const done = await this.#markRemoved(row, actor, `not needed by anything for ${asked.olderThanDays} days`);
        if (done.ok) {
          removed.push(version);
          gone.push(row);
        } else kept.push({ ...version, because: [done.error.kind === "conflict" ? done.error.message : done.error.kind] });
      }
    }
    if (!asked.isTrial) await this.#dropBytes(gone);
    const settled = { olderThanMs: PACK_SETTLES_MS, nowMs, isTrial: asked.isTrial };
    return { removed, kept, freeBytes: await blobs.sweep(settled), freeLaterBytes: await blobs.compact(settled) };
  }

  /** Reads every byte of the versions that have some, and says which aren't what was added. */
  async verify(versions: readonly { readonly dataset: string; readonly number: number }[]): Promise<readonly VersionCheck[]> {
    const checks: VersionCheck[] = [];
    const seen = new Map<BlobId, string | undefined>();
    const problemOf = async (id: BlobId): Promise<string | undefined> => {
      if (!seen.has(id)) seen.set(id, await this.#blobProblem(id));
      return seen.get(id);
    };
    for (const { dataset, number } of versions) {
      const row = await versionRow(this.#store.db, dataset, number);
      if (!row || row.removed_at_ms !== null) continue;
      const { blob, layout } = versionOf(row, {});
      const problems: string[] = [];
      const own = await problemOf(blob);
      if (own) problems.push(own);
      else if (layout === "folder") {
        for (const file of await folderIn(this.#store.blobs, blob)) {
          const problem = await problemOf(file.blob);
          if (problem) problems.push(`${file.path}: ${problem}`);
        }
      }
      checks.push({ dataset, number, problems });
    }
    return checks;
  }

  /** Of versions that were removed or redacted: their bytes go unless something else is made of the same. */
  async dropBlobs(ids: readonly BlobId[]): Promise<readonly string[]> {
    const { db, blobs } = this.#store;
    const used = await datasetBlobs(db, blobs);
    const stays: string[] = [];
    for (const id of new Set(ids)) {
      const uses = [...(used.get(id) ?? []), ...(await otherUses(db, id))];
      if (uses.length === 0) await blobs.remove(id);
      else stays.push(...uses);
    }
    return stays;
  }

  async #blobProblem(id: BlobId): Promise<string | undefined> {
    try {
      await this.#store.blobs.verify(id);
      return undefined;
    } catch (error) {
      if (error instanceof BlobError) return error.message;
      throw error;
    }
  }

  async #markRemoved(row: Selectable<Schema["dataset_version"]>, actor: string, reason: string): Promise<Result<void, Refusal>> {
    const { dataset, number } = row;
    const releases = await releasesOf(this.#store, this.#lineage, row);
    return this.#store.transaction(async (tx) => {
      await this.#audit.lock(tx);
      const needs = [...(await holdsOf(tx, row)), ...releases];
      if (needs.length > 0) return err(conflict(`${dataset}/${number} is needed: ${needs.join("; ")}`));
      const removal = { removed_at_ms: this.#store.runtime.clock.nowMs(), removed_by: actor, removed_because: reason };
      await tx.updateTable("dataset_version").set(removal).where("dataset", "=", dataset).where("number", "=", number).execute();
      await this.#audit.append(tx, {
        actor,
        action: "dataset-version.removed",
        object: `dataset/${dataset}`,
        payload: { number, blob: row.blob, reason },
      });
      return ok(undefined);
    });
  }

  async #dropBytes(rows: readonly Selectable<Schema["dataset_version"]>[]): Promise<void> {
    const { blobs } = this.#store;
    const ids: BlobId[] = [];
    for (const row of rows) {
      const { blob, layout } = versionOf(row, {});
      if (!(await blobs.has(blob))) continue;
      // Its files first: were the manifest gone, nobody would know them.
      if (layout === "folder") ids.push(...(await folderIn(blobs, blob)).map((file) => file.blob));
      ids.push(blob);
    }
    await this.dropBlobs(ids);
  }
}

function versionRow(db: Store["db"] | Transaction<Schema>, dataset: string, number: number) {
  return db.selectFrom("dataset_version").selectAll().where("dataset", "=", dataset).where("number", "=", number).executeTakeFirst();
}
