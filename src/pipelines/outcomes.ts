/** The cache of steps, as the server keeps it: the first outcome of a key is the canonical one. */
import type { Selectable } from "kysely";
import { Type, type Static } from "typebox";
import { checked } from "../checked.ts";
import { canonicalJson, parseBlobId, type Schema, type Store } from "../store/index.ts";
import { assert } from "../std.ts";

/** One outcome as it travels and is stored. */
export const StepOutcomeRecord = Type.Object(
  {
    key: Type.String({ pattern: "^step:[0-9a-f]{64}$" }),
    pipeline: Type.String({ maxLength: 100 }),
    step: Type.String({ maxLength: 100 }),
    outs: Type.Record(Type.String({ maxLength: 100 }), Type.String({ pattern: "^sha256:[0-9a-f]{64}$" })),
    metrics: Type.Record(Type.String({ maxLength: 250 }), Type.Number()),
    log: Type.String({ maxLength: 65_536 }),
    durationMs: Type.Number({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    facts: Type.Optional(
      Type.String({
        pattern: "^sha256:[0-9a-f]{64}$",
        description: "The blob that says what it was made of: code, parameters, inputs, times",
      }),
    ),
  },
  { title: "StepOutcome", additionalProperties: false },
);
export type StepOutcomeRecord = Static<typeof StepOutcomeRecord>;

/** What came out when a step ran again with the very same things. */
export const StepRepeat = Type.Object(
  {
    outs: StepOutcomeRecord.properties.outs,
    metrics: StepOutcomeRecord.properties.metrics,
    durationMs: StepOutcomeRecord.properties.durationMs,
  },
  { title: "StepRepeat", additionalProperties: false },
);
export type StepRepeat = Static<typeof StepRepeat>;

/** Whether a step does the same again. */
export interface Determinism {
  /** How often it was looked. */
  readonly repeats: number;
  /** Outputs that weren't the same bytes every time; with none of them it is deterministic, as far as was looked. */
  readonly differing: readonly string[];
}

const parseTexts = checked(Type.Record(Type.String(), Type.String()));
const parseNumbers = checked(Type.Record(Type.String(), Type.Number()));

export class StepOutcomes {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async find(key: string): Promise<StepOutcomeRecord | undefined> {
    const row = await this.#store.db.selectFrom("step_run").selectAll().where("key", "=", key).executeTakeFirst();
    return row && this.#recordOf(row);
  }

  /** The newest of a step, whatever it was made of. */
  async newest(pipeline: string, step: string): Promise<StepOutcomeRecord | undefined> {
    const query = this.#store.db.selectFrom("step_run").selectAll().where("pipeline", "=", pipeline).where("step", "=", step);
    const row = await query.orderBy("created_at_ms", "desc").limit(1).executeTakeFirst();
    return row && this.#recordOf(row);
  }

  async #recordOf(row: Selectable<Schema["step_run"]>): Promise<StepOutcomeRecord> {
    const outs = parseTexts(JSON.parse(row.outs_json));
    const metrics = parseNumbers(JSON.parse(row.metrics_json));
    assert(outs.ok && metrics.ok, "a stored outcome has the form it was stored in");
    const log = row.log_blob === null ? undefined : parseBlobId(row.log_blob);
    return {
      key: row.key,
      pipeline: row.pipeline,
      step: row.step,
      outs: outs.value,
      metrics: metrics.value,
      log: log ? (await this.#store.blobs.get(log)).toString("utf8") : "",
      durationMs: row.duration_ms,
      ...(row.facts_blob === null ? {} : { facts: row.facts_blob }),
    };
  }

  /** Keeps an outcome unless one is known already. @returns whether every blob that it names is in the store; nothing is kept otherwise */
  async save(outcome: StepOutcomeRecord): Promise<boolean> {
    for (const text of [...Object.values(outcome.outs), ...(outcome.facts === undefined ? [] : [outcome.facts])]) {
      const id = parseBlobId(text);
      if (!id || !(await this.#store.blobs.has(id))) return false;
    }
    const logBlob = outcome.log === "" ? null : await this.#store.blobs.put(Buffer.from(outcome.log));
    await this.#store.db
      .insertInto("step_run")
      .values({
        key: outcome.key,
        pipeline: outcome.pipeline,
        step: outcome.step,
        outs_json: canonicalJson(outcome.outs),
        metrics_json: canonicalJson(outcome.metrics),
        log_blob: logBlob,
        duration_ms: Math.round(outcome.durationMs),
        run: null,
        facts_blob: outcome.facts ?? null,
        created_at_ms: this.#store.runtime.clock.nowMs(),
      })
      .onConflict((conflict) => conflict.column("key").doNothing())
      .execute();
    return true;
  }

  /** Keeps a repetition of a known step. @returns undefined when its first outcome isn't known, or bytes are not in the store */
  async addRepeat(key: string, repeat: StepRepeat, actor: string): Promise<Determinism | undefined> {
    const { db, runtime, blobs } = this.#store;
    if (!(await this.find(key))) return undefined;
    for (const text of Object.values(repeat.outs)) {
      const id = parseBlobId(text);
      if (!id || !(await blobs.has(id))) return undefined;
    }
    await db
      .insertInto("step_repeat")
      .values({
        id: runtime.ids.next(),
        key,
        outs_json: canonicalJson(repeat.outs),
        metrics_json: canonicalJson(repeat.metrics),
        duration_ms: Math.round(repeat.durationMs),
        repeated_at_ms: runtime.clock.nowMs(),
        repeated_by: actor,
      })
      .execute();
    return this.determinism(key);
  }

  /** @returns undefined when the key isn't known */
  async determinism(key: string): Promise<Determinism | undefined> {
    const first = await this.#store.db.selectFrom("step_run").select("outs_json").where("key", "=", key).executeTakeFirst();
    if (!first) return undefined;
    const rows = await this.#store.db.selectFrom("step_repeat").select("outs_json").where("key", "=", key).limit(REPEATS_MAX).execute();
    const outs = textsIn(first.outs_json);
    const all = rows.map((row) => textsIn(row.outs_json));
    const differing = Object.keys(outs).filter((name) => all.some((one) => one[name] !== outs[name]));
    return { repeats: all.length, differing };
  }
}

const REPEATS_MAX = 1000;

function textsIn(json: string): Readonly<Record<string, string>> {
  const texts = parseTexts(JSON.parse(json));
  assert(texts.ok, "stored outputs have the form they were stored in");
  return texts.value;
}
