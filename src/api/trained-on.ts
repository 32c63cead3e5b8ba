/** What is known of the data that a release was trained on, for holding live scores and groups against it. */
import type { InputProfile } from "../decisions/index.ts";
import { trainedMix, type Trained } from "../monitoring/index.ts";
import type { Registry } from "../registry/index.ts";
import { readScoreReference } from "../releases/index.ts";
import type { ReleaseId } from "../std.ts";
import type { Store } from "../store/index.ts";

export async function trainedOn(
  { store, registry }: { readonly store: Pick<Store, "db">; readonly registry: Pick<Registry, "datasets"> },
  of: {
    readonly release: ReleaseId;
    readonly profile: InputProfile | undefined;
    readonly declared: Readonly<Record<string, readonly string[]>>;
  },
): Promise<Trained> {
  const dataset = of.profile?.dataset ?? null;
  if (dataset === null) return { scores: null, mix: null };
  const version = await registry.datasets.get(dataset);
  const scores = await readScoreReference(store.db, of.release);
  return { scores: scores?.bins ?? null, mix: version.ok ? trainedMix(version.value, of.declared) : null };
}
