/** Has releases, and mixtures of two releases, score the people of a case again. Gives way to whoever is waiting for an answer meanwhile. */
import { setImmediate } from "node:timers/promises";
import { checked } from "../checked.ts";
import { FeatureSetSpec } from "../registry/index.ts";
import { ScorerError, loadRelease, releaseIdOf, type LoadDependencies, type LoadedRelease, type ReleaseBundle } from "../serving/index.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import { parseBlobId, type Store } from "../store/index.ts";
import type { AskedPeople } from "./asked-people.ts";
import type { TrainedMixtures } from "./blame-report.ts";
import type { ModelScores } from "./scene.ts";

/** Some milliseconds' work. */
const PEOPLE_AT_ONCE = 256;

/** A turn of the event loop for everybody else. */
export const pause = (): Promise<void> => setImmediate();

/** Scores of all people of all windows; NaN where the release has none for a person. */
export async function scoresOf(release: LoadedRelease, windows: readonly AskedPeople[]): Promise<readonly Float64Array[]> {
  const all: Float64Array[] = [];
  for (const { decisions } of windows) {
    const scores = new Float64Array(decisions.length).fill(Number.NaN);
    for (let from = 0; from < decisions.length; from += PEOPLE_AT_ONCE) {
      await pause();
      const asked = decisions.slice(from, from + PEOPLE_AT_ONCE).flatMap(({ payload }, i) => {
        const request = release.endpoint.parse(JSON.parse(payload));
        return request.ok ? [{ at: from + i, inputs: request.value.inputs }] : [];
      });
      const scored = await release.scorer.scoreMany(asked.map(({ inputs }) => inputs));
      for (const [i, { at }] of asked.entries()) {
        const one = scored[i];
        if (one !== undefined && !(one instanceof ScorerError)) scores[at] = one.score;
      }
    }
    all.push(scores);
  }
  return all;
}

export interface MixtureWork {
  readonly store: Store;
  readonly load: LoadDependencies;
  readonly good: LoadedRelease;
  readonly bad: LoadedRelease;
  readonly people: readonly AskedPeople[];
}

/** Models that are asked side by side. */
const AT_ONCE = 2;

const parseFeatures = checked(FeatureSetSpec);

/**
 * The scores of every mixture, by seed and mask. Mixtures that came out the same (a deterministic trainer gives one model for all
 * seeds) are asked once.
 */
export async function scoreMixtures(
  work: MixtureWork,
  { groups, hybrids }: TrainedMixtures,
): Promise<Result<ReadonlyMap<number, readonly ModelScores[]>, readonly Issue[]>> {
  const isFromBad = (mask: number, player: string) => {
    const group = groups.findIndex(({ members }) => members.includes(player));
    return group >= 0 && ((mask >> group) & 1) === 1;
  };
  const bundles = new Map<string, { readonly bundle: ReleaseBundle; readonly path: string }>();
  const keys: string[] = [];
  for (const [i, hybrid] of hybrids.entries()) {
    // What can't be told from the mixture itself is taken from the release that its trainer, or its features, came from.
    const trainer = isFromBad(hybrid.mask, "algorithm") ? work.bad : work.good;
    const features = isFromBad(hybrid.mask, "features") ? work.bad : work.good;
    const path = `/hybrids/${i}`;
    const bundle = await bundleOf(work, hybrid, { trainer, features });
    if (!bundle.ok) return err(bundle.error.map((issue) => ({ ...issue, path: `${path}${issue.path}` })));
    const key = releaseIdOf(bundle.value);
    keys.push(key);
    if (!bundles.has(key)) bundles.set(key, { bundle: bundle.value, path });
  }
  const scored = await scoreAll(work, bundles);
  if (!scored.ok) return scored;
  const bySeed = new Map<number, ModelScores[]>();
  for (const [i, { seed, mask }] of hybrids.entries()) {
    const models = bySeed.get(seed) ?? [];
    bySeed.set(seed, models);
    const scores = scored.value.get(keys[i] ?? "");
    if (scores) models[mask] = scores;
  }
  return ok(bySeed);
}

async function bundleOf(
  { store, bad }: MixtureWork,
  { model, featureSet }: TrainedMixtures["hybrids"][number],
  from: { readonly trainer: LoadedRelease; readonly features: LoadedRelease },
): Promise<Result<ReleaseBundle, readonly Issue[]>> {
  for (const [path, text] of [
    ["/model", model],
    ["/featureSet", featureSet],
  ] as const) {
    const id = text === undefined ? undefined : parseBlobId(text);
    if (text !== undefined && !(id && (await store.blobs.has(id))))
      return err([{ path, expected: "a blob that was uploaded before", got: text }]);
  }
  const features = featureSet === undefined ? ok(from.features.bundle.features) : await featuresIn(store, featureSet);
  if (!features.ok) return features;
  const { scorer } = from.trainer.bundle;
  // Another model scores the examples otherwise.
  const {
    kind: _kind,
    model: _model,
    examples: _examples,
    ...output
  } = scorer.kind === "onnx" ? scorer : { kind: "", model: "", examples: {} };
  return ok({
    endpoint: bad.endpoint.name,
    scorer: { kind: "onnx", model, ...output },
    features: features.value,
    policy: bad.bundle.policy,
  });
}

async function featuresIn(store: Store, blob: string): Promise<Result<FeatureSetSpec, readonly Issue[]>> {
  const id = parseBlobId(blob);
  const wrong = { path: "/featureSet", expected: "the JSON of a feature set", got: blob };
  if (!id) return err([wrong]);
  try {
    const parsed = parseFeatures(JSON.parse((await store.blobs.get(id)).toString("utf8")));
    return parsed.ok ? parsed : err(parsed.error.map((issue) => ({ ...issue, path: `/featureSet${issue.path}` })));
  } catch (error) {
    if (error instanceof SyntaxError) return err([wrong]);
    throw error;
  }
}

async function scoreAll(
  { load, bad, people }: MixtureWork,
  bundles: ReadonlyMap<string, { readonly bundle: ReleaseBundle; readonly path: string }>,
): Promise<Result<ReadonlyMap<string, ModelScores>, readonly Issue[]>> {
  const scores = new Map<string, ModelScores>();
  const issues: Issue[] = [];
  const queue = bundles.entries();
  const worker = async () => {
    for (const [key, { bundle, path }] of queue) {
      if (issues.length > 0) return;
      const loaded = await loadRelease({ id: releaseIdOf(bundle), number: 0, bundle, endpoint: bad.endpoint }, load);
      if (!loaded.ok) {
        issues.push(...loaded.error.map((issue) => ({ ...issue, path: `${path}${issue.path}` })));
        return;
      }
      try {
        scores.set(key, await scoresOf(loaded.value, people));
      } finally {
        await loaded.value.close();
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return issues.length > 0 ? err(issues) : ok(scores);
}
