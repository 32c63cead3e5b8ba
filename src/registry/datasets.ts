/** Datasets: a name with its declaration, immutable versions of the table, and tags that point at versions. */
import { join } from "node:path";
import type { Selectable, Transaction } from "kysely";
import type { Audit } from "../access/index.ts";
import { nearest } from "../checked.ts";
import { canonicalJson, type Schema, type Store } from "../store/index.ts";
import { assert, err, ok, type BlobId, type Result } from "../std.ts";
import { datasetBlobs, otherUses } from "./blob-uses.ts";
import type { DatasetDiff, VersionsAsked } from "./dataset-diffs.ts";
import { diffApart, rowsApart } from "./diff-apart.ts";
import type { DiffRows } from "./diff-rows.ts";
import { attributeName, parseDatasetSpec, type DatasetSpec } from "./dataset-spec.ts";
import type { TableSketches } from "./column-sketch.ts";
import { putSketches, sketchesOf } from "./stored-sketches.ts";
import { guardOf, moveTag, tagHistory, tagsOf, type TagHistoryEntry, type TagMove } from "./dataset-tags.ts";
import { specOf, versionOf, type DatasetVersion } from "./dataset-version.ts";
import { REFERENCE_FORM, labelIssue, nameIssue, namesText, parseReference, pointsAt, versionsText } from "./names.ts";
import { conflict, invalid, unknown, type Refusal } from "./refusal.ts";
import { Scans } from "./scan-apart.ts";
import { dropSource, keepSource, type KeptSource, type TableReading, type TableSource } from "./table-intake.ts";
import type { TableFormat } from "./table-rows.ts";

export interface DatasetAddition {
  readonly dataset: string;
  readonly source: TableSource;
  /** What a single file is; found from its first bytes when left out. */
  readonly format?: TableFormat;
  /** Declared with the first version; later ones may repeat it or leave it out. */
  readonly spec?: DatasetSpec;
  /** Moved to the version in the same step. */
  readonly tag?: string;
  /** Why the tag moves. */
  readonly reason?: string;
  /** Whether whoever asks may move tags that are protected. */
  readonly mayMoveProtected?: boolean;
}

export interface AddedVersion {
  readonly version: DatasetVersion;
  /** false: these very bytes were there already. */
  readonly isNew: boolean;
}

export interface DatasetView {
  readonly name: string;
  readonly spec: DatasetSpec;
  readonly createdAtMs: number;
  readonly latest: { readonly number: number; readonly id: string; readonly rows: number; readonly createdAtMs: number };
  readonly tags: Readonly<Record<string, number>>;
}

type RedactionRow = Selectable<Schema["dataset_redaction"]>;
type VersionRow = Selectable<Schema["dataset_version"]>;

export class Datasets {
  readonly #store: Store;
  readonly #audit: Audit;
  readonly #scans: Scans;

  constructor(store: Store, audit: Audit) {
    this.#scans = new Scans(store.blobs);
    this.#store = store;
    this.#audit = audit;
  }

  /** Reads, checks and profiles a table and keeps it as a version. One with anything wrong leaves nothing behind, no blob either. */
  async add(addition: DatasetAddition, actor: string): Promise<Result<AddedVersion, Refusal>> {
    const { dataset, source, tag } = addition;
    const declared = await this.#declaration(addition);
    if (!declared.ok) return declared;
    const spec = declared.value;
    const { db, blobs } = this.#store;
    const rows = await db.selectFrom("dataset_version").selectAll().where("dataset", "=", dataset).orderBy("number", "desc").execute();
    const there = rows.filter((row) => row.removed_at_ms === null).map((row) => versionOf(row, {}).blob);
    const redacted = await this.#redactedBlobs(dataset);
    const known = [...there, ...redacted.keys()];
    const scanned = await this.#scans.scan({ source, spec, format: addition.format, bases: there.slice(0, 2), known });
    if (!scanned.ok) return err(invalid(scanned.error));
    const { source: found, reading } = scanned.value;
    let isKept = false;
    try {
      const refused = redacted.get(found.blob);
      if (refused) return err(refused);
      if (reading === undefined) {
        const row = rows.find(({ blob }) => blob === found.blob);
        assert(row, "what is known and not redacted is a version");
        if (tag === undefined) return ok({ version: versionOf(row, await tagsOf(db, dataset)), isNew: false });
        return await this.#store.transaction((tx) => this.#write(tx, { addition, spec, source: found, reading }, actor));
      }
      const begun = await keepSource(blobs, found);
      isKept = true;
      const added = await this.#store.transaction((tx) => this.#write(tx, { addition, spec, source: found, reading }, actor));
      if (!added.ok) await this.#dropUnused([found.blob, ...found.files.map(({ blob }) => blob)]);
      await begun.end();
      return added;
    } finally {
      if (!isKept) await dropSource(blobs, found);
    }
  }

  /** Bytes that hold rows which were redacted since, with why they aren't added again. */
  async #redactedBlobs(dataset: string): Promise<ReadonlyMap<BlobId, Refusal>> {
    const rows = await this.#store.db.selectFrom("dataset_redaction").selectAll().where("dataset", "=", dataset).execute();
    return new Map(
      rows.map((row) => {
        const what = `these bytes were ${dataset}/${row.number}, of which ${row.rows} rows were redacted under ${row.reference}`;
        return [asBlobId(row.blob_before), conflict(`${what}: they are not added again`)];
      }),
    );
  }

  /** Takes away what an addition left behind that was interrupted: called when nothing else uses the store yet. */
  async recover(): Promise<void> {
    const { blobs, runtime, kind } = this.#store;
    // Only SQLite's folder has one server at a time; another gateway may be at work in one beside PostgreSQL.
    const untilMs = kind === "sqlite" ? Number.POSITIVE_INFINITY : runtime.clock.nowMs() - 24 * 3_600_000;
    for (const { ids, sinceMs, end } of await blobs.unfinished()) {
      if (sinceMs > untilMs) continue;
      await this.#dropUnused(ids);
      await blobs.sweep({ olderThanMs: kind === "sqlite" ? 0 : 24 * 3_600_000, nowMs: runtime.clock.nowMs() });
      await end();
    }
  }

  async #dropUnused(ids: readonly BlobId[]): Promise<void> {
    const { db, blobs } = this.#store;
    const used = await datasetBlobs(db, blobs);
    for (const id of ids) if (!used.has(id) && (await otherUses(db, id)).length === 0) await blobs.remove(id);
  }

  /** @param reference - `credit/2`, `credit@clean` or `tbl:…` */
  async get(reference: string): Promise<Result<DatasetVersion, Refusal>> {
    const { db } = this.#store;
    const parsed = parseReference(reference);
    if (!parsed) return err(invalid([{ path: "/version", expected: REFERENCE_FORM, got: reference }]));
    let query = db.selectFrom("dataset_version").selectAll().orderBy("created_at_ms").limit(1);
    if (parsed.kind === "id") query = query.where(parsed.id.startsWith("sha256:") ? "blob" : "id", "=", parsed.id);
    else {
      const number = parsed.kind === "number" ? parsed.number : pointsAt(await tagsOf(db, parsed.name), parsed.label);
      if (number === undefined) return err(await this.#unknown(parsed.name, reference));
      query = query.where("dataset", "=", parsed.name).where("number", "=", number);
    }
    const row = (await query.executeTakeFirst()) ?? (parsed.kind === "id" ? await this.#beforeRedaction(parsed.id) : undefined);
    if (!row) return err(parsed.kind === "id" ? unknown("dataset version", reference) : await this.#unknown(parsed.name, reference));
    return ok(versionOf(row, await tagsOf(db, row.dataset)));
  }

  /** The version that had this id before rows were taken out of it. */
  async #beforeRedaction(id: string): Promise<VersionRow | undefined> {
    const { db } = this.#store;
    const known = await db
      .selectFrom("dataset_redaction")
      .select(["dataset", "number"])
      .where("id_before", "=", id)
      .limit(1)
      .executeTakeFirst();
    if (!known) return undefined;
    const query = db.selectFrom("dataset_version").selectAll().where("dataset", "=", known.dataset).where("number", "=", known.number);
    return query.executeTakeFirst();
  }

  async list(): Promise<readonly DatasetView[]> {
    const { db } = this.#store;
    const views: DatasetView[] = [];
    for (const row of await db.selectFrom("dataset").selectAll().orderBy("name").execute()) {
      const latest = await db
        .selectFrom("dataset_version")
        .select(["number", "id", "rows", "created_at_ms as createdAtMs"])
        .where("dataset", "=", row.name)
        .orderBy("number", "desc")
        .limit(1)
        .executeTakeFirstOrThrow();
      views.push({ name: row.name, spec: specOf(row), createdAtMs: row.created_at_ms, latest, tags: await tagsOf(db, row.name) });
    }
    return views;
  }

  /** How the values of a version are spread; undefined where nobody counted: a folder without a table, or a version of an older release. */
  async sketches({ dataset, number }: DatasetVersion): Promise<TableSketches | undefined> {
    return sketchesOf(this.#store.db, { dataset, number });
  }

  /** What versions of a dataset were before rows were taken out of them, newest first. */
  async redactions(dataset: string): Promise<readonly RedactionRow[]> {
    return this.#store.db
      .selectFrom("dataset_redaction")
      .selectAll()
      .where("dataset", "=", dataset)
      .orderBy("redacted_at_ms", "desc")
      .execute();
  }

  /** Newest first; empty for a dataset that isn't there. */
  async versions(dataset: string): Promise<readonly DatasetVersion[]> {
    const query = this.#store.db.selectFrom("dataset_version").selectAll().where("dataset", "=", dataset).orderBy("number", "desc");
    const [rows, tags] = [await query.execute(), await tagsOf(this.#store.db, dataset)];
    return rows.map((row) => versionOf(row, tags));
  }

  /** @returns where every tag of the dataset points now */
  async setTag(move: TagMove, actor: string): Promise<Result<Readonly<Record<string, number>>, Refusal>> {
    const done = await this.#store.transaction(async (tx) => {
      await this.#audit.lock(tx);
      return moveTag(tx, { store: this.#store, audit: this.#audit }, move, actor);
    });
    return done.ok ? ok(await tagsOf(this.#store.db, move.dataset)) : done;
  }

  tagHistory(dataset: string): Promise<readonly TagHistoryEntry[]> {
    return tagHistory(this.#store.db, dataset);
  }

  /**
   * What differs from one version to another, and for whom. Columns are compared that both have, by the declaration of the first.
   * @param how - `by`: protected attributes to look at, all when left out; `key`: columns that name a row, instead of the declared ones
   */
  async diff(
    from: string,
    to: string,
    how: { readonly by?: readonly string[]; readonly key?: readonly string[] } = {},
  ): Promise<Result<DatasetDiff, Refusal>> {
    const asked = await this.#compared(from, to, how);
    return asked.ok ? diffApart(this.#store.blobs, asked.value) : asked;
  }

  /** The rows that differ, as CSV. @param how - `hidden`: columns that are left out */
  async diffRows(
    from: string,
    to: string,
    { hidden, ...how }: { readonly hidden: readonly string[]; readonly key?: readonly string[] },
  ): Promise<Result<DiffRows, Refusal>> {
    const asked = await this.#compared(from, to, how);
    return asked.ok ? rowsApart(this.#store.blobs, { ...asked.value, hidden }) : asked;
  }

  async #compared(
    from: string,
    to: string,
    how: { readonly by?: readonly string[]; readonly key?: readonly string[] },
  ): Promise<Result<VersionsAsked, Refusal>> {
    const [a, b] = [await this.get(from), await this.get(to)];
    if (!a.ok) return a;
    if (!b.ok) return b;
    for (const { dataset, number, removal } of [a.value, b.value]) {
      if (removal)
        return err(conflict(`the bytes of ${dataset}/${number} were taken away (${removal.because}): its profile is all there is`));
    }
    const row = await this.#store.db.selectFrom("dataset").selectAll().where("name", "=", a.value.dataset).executeTakeFirstOrThrow();
    const spec = specOf(row);
    const attributes = (spec.protected ?? []).map(attributeName);
    const stranger = how.by?.find((name) => !attributes.includes(name));
    if (stranger !== undefined) {
      return err(
        invalid([{ path: "/by", expected: attributes.length > 0 ? `some of ${attributes.join(", ")}` : "nothing", got: stranger }]),
      );
    }
    const space = { folder: join(this.#store.folder, "diffs"), name: this.#store.runtime.ids.next() };
    return ok({ from: a.value, to: b.value, spec, ...how, space });
  }

  /** The declaration that holds for the addition: the dataset's own, or the first one. */
  async #declaration({ dataset, spec: value, tag }: DatasetAddition): Promise<Result<DatasetSpec, Refusal>> {
    const issues = [nameIssue("/dataset", dataset), tag === undefined ? undefined : labelIssue("/tag", tag)].filter(
      (issue) => issue !== undefined,
    );
    const spec = parseDatasetSpec(value ?? {});
    if (!spec.ok) issues.push(...spec.error.map((issue) => ({ ...issue, path: `/spec${issue.path}` })));
    if (issues.length > 0 || !spec.ok) return err(invalid(issues));
    const row = await this.#store.db.selectFrom("dataset").selectAll().where("name", "=", dataset).executeTakeFirst();
    if (!row) return spec;
    if (value !== undefined && canonicalJson(spec.value) !== row.spec_json) return err(declaredOtherwise(dataset));
    return ok(specOf(row));
  }

  async #byBlob(db: Store["db"], dataset: string, blob: BlobId): Promise<VersionRow | undefined> {
    return db.selectFrom("dataset_version").selectAll().where("dataset", "=", dataset).where("blob", "=", blob).executeTakeFirst();
  }

  async #write(
    tx: Transaction<Schema>,
    made: {
      readonly addition: DatasetAddition;
      readonly spec: DatasetSpec;
      readonly source: KeptSource;
      readonly reading: TableReading | undefined;
    },
    actor: string,
  ): Promise<Result<AddedVersion, Refusal>> {
    const { dataset, tag, reason = "" } = made.addition;
    await this.#audit.lock(tx);
    // Somebody may have been faster since the file was read.
    const declared = await tx.selectFrom("dataset").select("spec_json").where("name", "=", dataset).executeTakeFirst();
    if (declared && declared.spec_json !== canonicalJson(made.spec)) return err(declaredOtherwise(dataset));
    const mayMoveProtected = made.addition.mayMoveProtected ?? false;
    const guarded = tag === undefined ? undefined : await guardOf(tx, { dataset, tag, mayMoveProtected });
    if (guarded) return err(guarded);
    const { reading, ...rest } = made;
    const known = await this.#byBlob(tx, dataset, made.source.blob);
    const row =
      (known && (await this.#restored(tx, known, actor))) ??
      (reading && (await this.#insert(tx, { ...rest, reading, dataset, isFirst: !declared }, actor)));
    assert(row, "versions are never taken away, so one that was there at the reading still is");
    if (tag !== undefined) {
      const move = { dataset, tag, number: row.number, reason, mayMoveProtected };
      const moved = await moveTag(tx, { store: this.#store, audit: this.#audit }, move, actor);
      assert(moved.ok, "the tag's name and guard were looked at, and the version is there");
    }
    return ok({ version: versionOf(row, await tagsOf(tx, dataset)), isNew: !known });
  }

  /** The version with its bytes: where they were taken away, they were just put back. */
  async #restored(tx: Transaction<Schema>, known: VersionRow, actor: string): Promise<VersionRow> {
    const { dataset, number } = known;
    if (known.removed_at_ms === null) return known;
    const removal = { removed_at_ms: null, removed_by: null, removed_because: null };
    await tx.updateTable("dataset_version").set(removal).where("dataset", "=", dataset).where("number", "=", number).execute();
    await this.#audit.append(tx, { actor, action: "dataset-version.restored", object: `dataset/${dataset}`, payload: { number } });
    return { ...known, ...removal };
  }

  async #insert(
    tx: Transaction<Schema>,
    made: {
      readonly dataset: string;
      readonly isFirst: boolean;
      readonly spec: DatasetSpec;
      readonly source: KeptSource;
      readonly reading: TableReading;
    },
    actor: string,
  ): Promise<VersionRow> {
    const { dataset, spec, source, reading } = made;
    const nowMs = this.#store.runtime.clock.nowMs();
    if (made.isFirst)
      await tx
        .insertInto("dataset")
        .values({ name: dataset, spec_json: canonicalJson(spec), created_at_ms: nowMs })
        .execute();
    const query = tx.selectFrom("dataset_version").select((eb) => eb.fn.max("number").as("last"));
    const { last } = await query.where("dataset", "=", dataset).executeTakeFirstOrThrow();
    const row: VersionRow = {
      id: reading.id,
      dataset,
      number: (last ?? 0) + 1,
      blob: source.blob,
      format: reading.format,
      layout: source.layout,
      bytes: source.bytes,
      rows: reading.facts?.rows ?? 0,
      columns_json: canonicalJson(reading.columns),
      profile_json: canonicalJson({ columns: reading.facts?.columns ?? [], cells: reading.facts?.cells ?? [] }),
      created_at_ms: nowMs,
      created_by: actor,
      removed_at_ms: null,
      removed_by: null,
      removed_because: null,
    };
    await tx.insertInto("dataset_version").values(row).execute();
    await putSketches(tx, row, reading.facts?.sketches);
    const payload = { id: row.id, number: row.number, blob: row.blob, rows: row.rows };
    await this.#audit.append(tx, { actor, action: "dataset-version.added", object: `dataset/${dataset}`, payload });
    return row;
  }

  async #unknown(dataset: string, reference: string): Promise<Refusal> {
    const datasets = await this.list();
    const view = datasets.find(({ name }) => name === dataset);
    if (view)
      return unknown(
        "dataset version",
        reference,
        `${dataset} has ${versionsText(view.latest.number)} and ${namesText("tag", "tags", Object.keys(view.tags))}`,
      );
    const near = nearest(
      dataset,
      datasets.map(({ name }) => name),
    );
    return unknown("dataset", dataset, near ? `did you mean ${near}?` : undefined);
  }
}

const declaredOtherwise = (dataset: string): Refusal =>
  conflict(
    `dataset ${dataset} was declared with another key, label or protected columns: leave the declaration out, or choose another name`,
  );

/** This column holds ids that were made before they were written. */
const asBlobId = (id: string): BlobId => id as BlobId;
