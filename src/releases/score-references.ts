/**
 * What each release says of the very data that it was trained on: the scores that live ones are compared with. Asked once of every
 * release that has a place, of some rows, when nobody waits for it; kept for ever.
 */
import { setImmediate } from "node:timers/promises";
import { Type, type Static } from "typebox";
import { checked, object, orNull } from "../checked.ts";
import { SCORE_BINS, scoreBinOf } from "../decisions/index.ts";
import { rowsInWords, type Registry, type RowInWords } from "../registry/index.ts";
import { ScorerError, type Inputs, type InputsSpec, type LoadedRelease } from "../serving/index.ts";
import type { ReleaseId } from "../std.ts";
import { canonicalJson, type Store } from "../store/index.ts";
import type { EndpointRoom } from "./endpoint-room.ts";
import { readInputProfile } from "./input-profiles.ts";
import { placesOf } from "./route-table.ts";

export interface ScoreReferenceParts {
  readonly store: Store;
  readonly registry: Registry;
  readonly rooms: () => readonly EndpointRoom[];
  /** Told of a release whose training data can't be read or scored: its scores are compared with its first week. */
  readonly onTrouble: (error: Error) => void;
}

const ScoreReference = object({
  /** `credit/2` */
  dataset: Type.String(),
  /** Rows that became requests of the endpoint, by the score that the release gives them; null where none did. */
  bins: orNull(Type.Array(Type.Integer({ minimum: 0 }), { minItems: SCORE_BINS, maxItems: SCORE_BINS })),
});
export type ScoreReference = Static<typeof ScoreReference>;
const parse = checked(ScoreReference);

/** Chance alone stays below an index of 0.02 then. */
const ROWS_MAX = 2000;
/** Few: people who ask meanwhile wait for so many at the model. */
const ROWS_AT_ONCE = 64;

export class ScoreReferences {
  readonly #parts: ScoreReferenceParts;
  /** Known, or tried since the start. */
  readonly #done = new Set<ReleaseId>();

  constructor(parts: ScoreReferenceParts) {
    this.#parts = parts;
  }

  /** Asks one release that has a place, is warm, and wasn't asked yet. */
  async tick(): Promise<void> {
    for (const room of this.#parts.rooms())
      for (const id of room.releases.keys()) {
        const loaded = room.warm.isWarm(id) ? room.warm.get(id) : undefined;
        if (!loaded || this.#done.has(id) || placesOf(room.table, id).length === 0) continue;
        const profile = await readInputProfile(this.#parts.store.db, id);
        if (!profile) continue;
        this.#done.add(id);
        if (profile.dataset === null || (await readScoreReference(this.#parts.store.db, id))) continue;
        return this.#make(room, loaded, profile.dataset);
      }
  }

  async #make(room: EndpointRoom, release: LoadedRelease, dataset: string): Promise<void> {
    const { store, onTrouble } = this.#parts;
    try {
      const made: ScoreReference = { dataset, bins: await this.#binsOf(room.definition.spec.inputs, release, dataset) };
      await store.db
        .insertInto("score_reference")
        .values({ release: release.id, reference_json: canonicalJson(made), made_at_ms: store.runtime.clock.nowMs() })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    } catch (error) {
      onTrouble(new Error(`the scores of ${dataset} can't be told`, { cause: error }));
    }
  }

  async #binsOf(inputs: InputsSpec, release: LoadedRelease, dataset: string): Promise<number[] | null> {
    const { store, registry } = this.#parts;
    const version = await registry.datasets.get(dataset);
    if (!version.ok) throw new Error(`${dataset} is no longer there`);
    const spec = (await registry.datasets.list()).find(({ name }) => name === version.value.dataset)?.spec ?? {};
    const rows = await rowsInWords(store.blobs, version.value, { spec, names: Object.keys(inputs), most: ROWS_MAX });
    const requests = rows.flatMap((row): Inputs[] => {
      // The endpoint itself says whether a row could be one of its applicants.
      const request = release.endpoint.parse({ inputs: inputsIn(row, inputs) });
      return request.ok ? [request.value.inputs] : [];
    });
    const bins = Array.from({ length: SCORE_BINS }, () => 0);
    for (let at = 0; at < requests.length; at += ROWS_AT_ONCE) {
      await setImmediate();
      for (const scored of await release.scorer.scoreMany(requests.slice(at, at + ROWS_AT_ONCE))) {
        // A model that fails at some of it may fail at the half that matters.
        if (scored instanceof ScorerError) throw scored;
        const bin = scoreBinOf(scored.score);
        bins[bin] = (bins[bin] ?? 0) + 1;
      }
    }
    return requests.length === 0 ? null : bins;
  }
}

/** A row of a table as an applicant would send it. */
function inputsIn(row: RowInWords, inputs: InputsSpec): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).flatMap(([name, text]): [string, unknown][] => {
      if (text === null) return [];
      const type = inputs[name]?.type;
      if (type === "number" || type === "integer") return [[name, Number(text)]];
      return [[name, type === "boolean" ? text === "true" : text]];
    }),
  );
}

/** Undefined where a release wasn't asked yet, or has no training data that is known here. */
export async function readScoreReference(db: Store["db"], release: ReleaseId): Promise<ScoreReference | undefined> {
  const row = await db.selectFrom("score_reference").select("reference_json").where("release", "=", release).executeTakeFirst();
  if (!row) return undefined;
  const reference = parse(JSON.parse(row.reference_json));
  if (!reference.ok) throw new Error(`the score reference of ${release} can't be read: ${JSON.stringify(reference.error)}`);
  return reference.value;
}
