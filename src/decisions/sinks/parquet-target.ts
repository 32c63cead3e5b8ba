/**
 * Parquet files, one a batch for each endpoint and day in it: `decisions/endpoint=loans/day=2026-12-01/….parquet`. A file's name says
 * what is in it, so the same batch again replaces its own file.
 */
import { createHash } from "node:crypto";
import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import { parquetWriteBuffer, type ColumnSource } from "hyparquet-writer";
import { timeOf, type SinkDocument } from "./document.ts";
import { makeFolder, replaceDurably } from "./files.ts";
import type { TargetOf } from "./spec.ts";
import { DeliveryFailed, type SinkBatch, type SinkTarget } from "./target.ts";

const ROWS = 10_000;
const EVERY_SECONDS = 300;
const DIGITS = 12;

export class ParquetTarget implements SinkTarget {
  readonly batch: number;
  readonly gatherMs: number;
  readonly #folder: string;

  /** @param folder - of this sink alone */
  constructor(folder: string, spec: TargetOf<"parquet">) {
    this.#folder = folder;
    this.batch = spec.rows ?? ROWS;
    this.gatherMs = (spec.every_seconds ?? EVERY_SECONDS) * 1000;
  }

  async deliver({ stream, documents }: SinkBatch): Promise<null> {
    const parts = Map.groupBy(documents, (document) => `endpoint=${document.endpoint}/day=${timeOf(document).slice(0, 10)}`);
    try {
      for (const [part, some] of parts)
        await replaceDurably(join(this.#folder, `${stream}s`, part), fileName(some), new Uint8Array(parquetOf(some)));
    } catch (cause) {
      throw asFailure(cause);
    }
    return null;
  }

  async probe(): Promise<void> {
    try {
      await makeFolder(this.#folder);
      await access(this.#folder, constants.W_OK);
    } catch (cause) {
      throw asFailure(cause);
    }
  }

  async close(): Promise<void> {}
}

const asFailure = (cause: unknown) =>
  new DeliveryFailed(`the files can't be written: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });

/** First and last number, and the ids between: another database's file never has the same name. */
function fileName(documents: readonly SinkDocument[]): string {
  const hash = createHash("sha256");
  for (const { id } of documents) hash.update(`${id}\n`);
  const [first, last] = [documents[0], documents.at(-1)].map((document) => String(document?.seq ?? 0).padStart(DIGITS, "0"));
  return `${first}-${last}-${hash.digest("hex").slice(0, 8)}.parquet`;
}

/** Columns are the same in every file of a stream, so that engines read a folder as one table; the endpoint is in the folder's name. */
function parquetOf(documents: readonly SinkDocument[]): ArrayBuffer {
  const [first] = documents;
  return parquetWriteBuffer({
    columnData: first?.kind === "outcome" ? outcomeColumns(documents) : decisionColumns(documents),
    createdBy: "evenkeel",
  });
}

type Basic = "STRING" | "INT64" | "DOUBLE" | "BOOLEAN" | "TIMESTAMP" | "JSON";

function columnsOf<D extends SinkDocument>(
  documents: readonly D[],
  columns: readonly (readonly [name: string, type: Basic, value: (document: D) => unknown, nullable?: "nullable"])[],
): ColumnSource[] {
  return columns.map(([name, type, value, nullable]) => ({
    name,
    type,
    nullable: nullable === "nullable",
    data: documents.map((document) => value(document) ?? null),
  }));
}

const time = (text: string) => new Date(text);
const json = (value: unknown) => (value === undefined || value === null ? null : JSON.stringify(value));

const decisionColumns = (all: readonly SinkDocument[]): ColumnSource[] =>
  columnsOf(
    all.filter((document) => document.kind === "decision"),
    [
      ["id", "STRING", ({ id }) => id],
      ["seq", "INT64", ({ seq }) => BigInt(seq)],
      ["release", "STRING", ({ release }) => release],
      ["release_id", "STRING", ({ releaseId }) => releaseId],
      ["route", "STRING", ({ route }) => route],
      ["generation", "INT64", ({ generation }) => BigInt(generation)],
      ["action", "STRING", ({ action }) => action],
      ["favourable", "BOOLEAN", ({ favourable }) => favourable],
      ["score", "DOUBLE", ({ score }) => score, "nullable"],
      ["reasons", "STRING", ({ reasons }) => json(reasons)],
      ["because", "STRING", ({ because }) => because, "nullable"],
      ["decided_at", "TIMESTAMP", ({ decidedAt }) => time(decidedAt)],
      ["latency_ms", "DOUBLE", ({ latencyMs }) => latencyMs],
      ["is_counted", "BOOLEAN", ({ isCounted }) => isCounted],
      ["source", "STRING", ({ source }) => source],
      ["groups", "STRING", ({ groups }) => json(groups), "nullable"],
      ["inputs", "STRING", ({ inputs }) => json(inputs), "nullable"],
      ["subject", "STRING", ({ subject }) => subject, "nullable"],
    ],
  );

const outcomeColumns = (all: readonly SinkDocument[]): ColumnSource[] =>
  columnsOf(
    all.filter((document) => document.kind === "outcome"),
    [
      ["id", "STRING", ({ id }) => id],
      ["seq", "INT64", ({ seq }) => BigInt(seq)],
      ["decision", "STRING", ({ decision }) => decision],
      ["value", "STRING", ({ value }) => value],
      ["good", "BOOLEAN", ({ good }) => good],
      ["is_correction", "BOOLEAN", ({ isCorrection }) => isCorrection],
      ["at", "TIMESTAMP", ({ at }) => time(at)],
      ["recorded_at", "TIMESTAMP", ({ recordedAt }) => time(recordedAt)],
      ["source", "STRING", ({ source }) => source],
    ],
  );
