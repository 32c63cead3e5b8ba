/**
 * The input profiles of releases that answer: made once from the dataset version that a release was trained on, kept for ever. Until a
 * release has its profile its inputs aren't counted; nobody waits for it.
 */
import { checked } from "../checked.ts";
import { BIN_NAMES, InputProfile, inputBinner, type ProfiledInput } from "../decisions/index.ts";
import { columnHistograms, type ColumnHistogram, type DatasetVersion, type Registry } from "../registry/index.ts";
import type { Inputs, InputsSpec } from "../serving/index.ts";
import type { ReleaseId } from "../std.ts";
import { canonicalJson, type Store } from "../store/index.ts";
import type { EndpointRoom } from "./endpoint-room.ts";
import { madeOf } from "./made-of.ts";
import type { ReleaseInfo } from "./release-rows.ts";
import { placesOf } from "./route-table.ts";

export interface InputProfileParts {
  readonly store: Store;
  readonly registry: Registry;
  readonly rooms: () => readonly EndpointRoom[];
  /** Told of a release whose training data can't be read: its inputs are counted without it. */
  readonly onTrouble: (error: Error) => void;
}

const parse = checked(InputProfile);

export class InputProfiles {
  readonly #parts: InputProfileParts;
  readonly #binners = new Map<ReleaseId, (inputs: Inputs) => string>();

  constructor(parts: InputProfileParts) {
    this.#parts = parts;
  }

  /** The bins of a person's inputs, one character each; undefined while the release has no profile. */
  bins(release: ReleaseId, inputs: Inputs): string | undefined {
    return this.#binners.get(release)?.(inputs);
  }

  /** Makes, or reads, the profile of every release that has a place and none yet. */
  async tick(): Promise<void> {
    for (const room of this.#parts.rooms())
      for (const info of room.releases.values()) {
        if (this.#binners.has(info.id) || placesOf(room.table, info.id).length === 0) continue;
        const profile = (await readInputProfile(this.#parts.store.db, info.id)) ?? (await this.#make(room, info));
        this.#binners.set(info.id, inputBinner(profile));
      }
  }

  async #make(room: EndpointRoom, info: ReleaseInfo): Promise<InputProfile> {
    const { store } = this.#parts;
    const made = await this.#profileOf(room.definition.spec.inputs, info);
    await store.db
      .insertInto("input_profile")
      .values({ release: info.id, profile_json: canonicalJson(made), made_at_ms: store.runtime.clock.nowMs() })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    // Another gateway may have been first: what is counted must be counted in one way.
    return (await readInputProfile(store.db, info.id)) ?? made;
  }

  async #profileOf(inputs: InputsSpec, info: ReleaseInfo): Promise<InputProfile> {
    const { registry, store } = this.#parts;
    const names = Object.keys(inputs);
    const { datasets } = await madeOf({ registry, blobs: store.blobs }, info);
    const version = datasets.map((used) => used.version).find((one) => one.removal === null && hasSome(one, names));
    const histograms = version ? await this.#histograms(version, names) : new Map<string, ColumnHistogram>();
    return {
      dataset: version && histograms.size > 0 ? `${version.dataset}/${version.number}` : null,
      inputs: names.flatMap((name) => {
        const spec = inputs[name];
        return spec ? [profiled(name, spec, histograms.get(name))] : [];
      }),
    };
  }

  async #histograms(version: DatasetVersion, names: readonly string[]): Promise<ReadonlyMap<string, ColumnHistogram>> {
    try {
      return await columnHistograms(this.#parts.store.blobs, version, names);
    } catch (error) {
      this.#parts.onTrouble(new Error(`the inputs of ${version.dataset}/${version.number} can't be counted`, { cause: error }));
      return new Map();
    }
  }
}

const hasSome = ({ profile }: DatasetVersion, names: readonly string[]): boolean =>
  profile.columns.some(({ name }) => names.includes(name));

/** The profile of a release; undefined where it has none yet. */
export async function readInputProfile(db: Store["db"], release: ReleaseId): Promise<InputProfile | undefined> {
  const row = await db.selectFrom("input_profile").select("profile_json").where("release", "=", release).executeTakeFirst();
  if (!row) return undefined;
  const profile = parse(JSON.parse(row.profile_json));
  if (!profile.ok) throw new Error(`the input profile of ${release} can't be read: ${JSON.stringify(profile.error)}`);
  return profile.value;
}

/** An input and the column of its name, where both are of one kind; without such a column there is nothing to compare with. */
function profiled(name: string, { type, values }: InputsSpec[string], histogram: ColumnHistogram | undefined): ProfiledInput {
  const special = (empty: number, others = 0) => BIN_NAMES.map((bin) => (bin === "missing" ? empty : bin === "new_category" ? others : 0));
  if (type === "number" || type === "integer") {
    if (histogram?.kind !== "numbers") return { kind: "powers", name, reference: null };
    const { edges, min, max, sd, counts, empty } = histogram;
    return { kind: "numbers", name, edges: [...edges], min, max, sd, reference: [...special(empty), ...counts] };
  }
  const declared = type === "boolean" ? ["false", "true"] : (values ?? []).slice(0, CATEGORIES_MAX);
  if (histogram?.kind !== "categories") return { kind: "categories", name, values: declared, reference: null };
  return {
    kind: "categories",
    name,
    values: [...histogram.values],
    reference: [...special(histogram.empty, histogram.others), ...histogram.counts],
  };
}

const CATEGORIES_MAX = 50;
