/**
 * Takes a person's rows out of every version of every dataset that has them, for good: files are rewritten without the rows, and of what
 * was there before only its ids are kept. Whose rows they were is not kept.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Selectable } from "kysely";
import type { Audit } from "../access/index.ts";
import { canonicalJson, type Blobs, type Schema, type Store } from "../store/index.ts";
import { assert, err, ok, type BlobId, type Result } from "../std.ts";
import type { DatasetKeeping } from "./dataset-keeping.ts";
import { specOf, versionOf, type DatasetVersion } from "./dataset-version.ts";
import { folderIn } from "./folder-manifest.ts";
import { conflict, invalid, unknown, type Refusal } from "./refusal.ts";
import { putSketches } from "./stored-sketches.ts";
import { findRows, withoutRows, type FoundRows } from "./row-removal.ts";
import { dropSource, keepSource, readSource, stageSource, type StagedSource, type TableReading } from "./table-intake.ts";

export interface RedactedVersion {
  readonly dataset: string;
  readonly number: number;
  readonly rows: number;
  readonly before: { readonly id: string; readonly blob: string };
  /** null where no row was left: then the version has no bytes any more. */
  readonly after: { readonly id: string; readonly blob: string } | null;
  /** What else has the bytes from before, and still does: the outputs of a step, or artifacts of a run. */
  readonly alsoIn: readonly string[];
}
export interface Redaction {
  readonly versions: readonly RedactedVersion[];
  /** Datasets without a key of one column: nobody knows which of their rows are whose. */
  readonly notSearched: readonly string[];
}

interface Asked {
  /** Value of the key, or of `column`. */
  readonly subject: string;
  /** What asked for it: a request's number, for example. */
  readonly reference: string;
  readonly dataset?: string;
  /** Where the subject stands; the key when left out. */
  readonly column?: string;
}

type VersionRow = Selectable<Schema["dataset_version"]>;

export class DatasetRedaction {
  readonly #store: Store;
  readonly #audit: Audit;
  readonly #keeping: DatasetKeeping;

  constructor(store: Store, audit: Audit, keeping: DatasetKeeping) {
    this.#store = store;
    this.#audit = audit;
    this.#keeping = keeping;
  }

  /** Every version is whole at every moment: with the rows, or without them. Interrupted, it is asked for again and goes on. */
  async redact(asked: Asked, actor: string): Promise<Result<Redaction, Refusal>> {
    const { db } = this.#store;
    if (asked.subject === "") return err(invalid([{ path: "/subject", expected: "a value of the key", got: "nothing" }]));
    let query = db.selectFrom("dataset").selectAll().orderBy("name");
    if (asked.dataset !== undefined) query = query.where("name", "=", asked.dataset);
    const rows = await query.execute();
    if (asked.dataset !== undefined && rows.length === 0) return err(unknown("dataset", asked.dataset));
    const versions: RedactedVersion[] = [];
    const notSearched: string[] = [];
    for (const row of rows) {
      const { key = [] } = specOf(row);
      const column = asked.column ?? (key.length === 1 ? key[0] : undefined);
      if (column === undefined) notSearched.push(row.name);
      else versions.push(...(await this.#redactDataset(row.name, column, asked, actor)));
    }
    if (asked.dataset !== undefined && notSearched.length > 0) {
      return err(conflict(`${asked.dataset} has no key of one column: say with --column where the subject stands`));
    }
    return ok({ versions, notSearched });
  }

  async #redactDataset(dataset: string, column: string, asked: Asked, actor: string): Promise<readonly RedactedVersion[]> {
    const { db, blobs, runtime } = this.#store;
    const rows = await db
      .selectFrom("dataset_version")
      .selectAll()
      .where("dataset", "=", dataset)
      .where("removed_at_ms", "is", null)
      .execute();
    const done: RedactedVersion[] = [];
    for (const row of rows) {
      const version = versionOf(row, {});
      if (version.format === "none" || !version.profile.columns.some(({ name }) => name === column)) continue;
      const found = await findRows(blobs, version, column, asked.subject);
      if (found.rows > 0) done.push(await this.#rewrite(row, found, asked, actor));
    }
    // What an interrupted redaction left behind goes now.
    const before = await db.selectFrom("dataset_redaction").select("blob_before").where("dataset", "=", dataset).execute();
    const leftBehind: BlobId[] = [];
    for (const { blob_before: blob } of before) if (await blobs.has(asBlobId(blob))) leftBehind.push(asBlobId(blob));
    await this.#keeping.dropBlobs(leftBehind);
    if (done.length === 0 && leftBehind.length === 0) return done;
    // Chunks lie in packs beside others' chunks: all that stay move to new ones, and the old ones go with what was taken out.
    const kept = await db
      .selectFrom("dataset_version")
      .selectAll()
      .where("dataset", "=", dataset)
      .where("removed_at_ms", "is", null)
      .execute();
    for (const row of kept) for (const id of await blobsOf(blobs, versionOf(row, {}))) await blobs.repack(id);
    // Beside PostgreSQL another gateway may be adding; there the old packs go with the first sweep an hour later.
    await blobs.sweep({ olderThanMs: this.#store.kind === "sqlite" ? 0 : 3_600_000, nowMs: runtime.clock.nowMs() });
    return done;
  }

  async #rewrite(row: VersionRow, found: FoundRows, asked: Asked, actor: string): Promise<RedactedVersion> {
    const { blobs } = this.#store;
    const version = versionOf(row, {});
    const oldBlobs = await blobsOf(blobs, version);
    const before = { id: version.id, blob: version.blob };
    const common = { dataset: version.dataset, number: version.number, rows: found.rows, before };
    if (found.rows === version.rows) {
      await this.#record(row, { rows: found.rows, asked, after: null }, actor);
      return { ...common, after: null, alsoIn: await this.#keeping.dropBlobs(oldBlobs) };
    }
    const folder = join(blobs.folder, "tmp", this.#store.runtime.ids.next());
    await mkdir(folder, { recursive: true });
    let source: StagedSource | undefined;
    let isKept = false;
    try {
      const staged = await stageSource(blobs, await withoutRows(blobs, version, found, folder), []);
      assert(staged.ok, "files that were just written can be read");
      source = staged.value;
      const dataset = await this.#store.db.selectFrom("dataset").selectAll().where("name", "=", version.dataset).executeTakeFirstOrThrow();
      const format = version.format === "ndjson" ? "ndjson" : "csv";
      const read = await readSource(source, { spec: specOf(dataset), format, spillPath: blobs.temporaryPath() });
      assert(read.ok, "a table without some of its rows is still one");
      const begun = await keepSource(blobs, source);
      isKept = true;
      const { blob, bytes } = source;
      await this.#record(row, { rows: found.rows, asked, after: { reading: read.value, blob, bytes } }, actor);
      await begun.end();
      const stays = await this.#keeping.dropBlobs(oldBlobs);
      return { ...common, after: { id: read.value.id, blob }, alsoIn: stays.filter((use) => !use.startsWith(`${version.dataset}/`)) };
    } finally {
      if (source && !isKept) await dropSource(blobs, source);
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #record(
    row: VersionRow,
    made: {
      readonly rows: number;
      readonly asked: Asked;
      readonly after: { readonly reading: TableReading; readonly blob: BlobId; readonly bytes: number } | null;
    },
    actor: string,
  ): Promise<void> {
    const { dataset, number } = row;
    const { after, asked } = made;
    const nowMs = this.#store.runtime.clock.nowMs();
    const tombstone = {
      dataset,
      number,
      blob_before: row.blob,
      blob_after: after?.blob ?? null,
      id_before: row.id,
      id_after: after?.reading.id ?? null,
      rows: made.rows,
      reference: asked.reference,
      redacted_at_ms: nowMs,
      redacted_by: actor,
    };
    const change = after
      ? {
          id: after.reading.id,
          blob: after.blob,
          bytes: after.bytes,
          format: after.reading.format,
          rows: after.reading.facts?.rows ?? 0,
          columns_json: canonicalJson(after.reading.columns),
          profile_json: canonicalJson({ columns: after.reading.facts?.columns ?? [], cells: after.reading.facts?.cells ?? [] }),
        }
      : {
          profile_json: canonicalJson({ columns: [], cells: [] }),
          removed_at_ms: nowMs,
          removed_by: actor,
          removed_because: `all of its rows were redacted under ${asked.reference}`,
        };
    await this.#store.transaction(async (tx) => {
      await this.#audit.lock(tx);
      await tx.insertInto("dataset_redaction").values(tombstone).execute();
      await putSketches(tx, row, after?.reading.facts?.sketches);
      await tx.updateTable("dataset_version").set(change).where("dataset", "=", dataset).where("number", "=", number).execute();
      const payload = { number, rows: made.rows, reference: asked.reference, before: row.blob, after: after?.blob ?? null };
      await this.#audit.append(tx, { actor, action: "dataset-version.redacted", object: `dataset/${dataset}`, payload });
    });
  }
}

/** This column holds ids that were made before they were written. */
const asBlobId = (id: string): BlobId => id as BlobId;

async function blobsOf(blobs: Blobs, { blob, layout }: DatasetVersion): Promise<readonly BlobId[]> {
  return layout === "folder" ? [...(await folderIn(blobs, blob)).map((file) => file.blob), blob] : [blob];
}
