/** A release, ready to answer: compiled, its model warm, proven on samples. */
import { Type, type Static } from "typebox";
import { FeatureSetSpec } from "../registry/index.ts";
import { err, ok, unreachable, type Issue, type ReleaseId, type Result } from "../std.ts";
import { contentId, type Blobs, type Clock } from "../store/index.ts";
import { CelFailure } from "./cel.ts";
import type { CompiledEndpoint } from "./endpoint.ts";
import { compileFeatures, type CompiledFeatures } from "./features.ts";
import { openContainerScorer } from "./container-scorer.ts";
import type { Containers } from "./containers.ts";
import type { DecisionRequest } from "./inputs.ts";
import { openHttpScorer, type HttpDependencies } from "./http-scorer.ts";
import { openOnnx } from "./open-onnx.ts";
import { PolicySpec, compilePolicy, type Policy } from "./policy.ts";
import { compileRules } from "./rules-scorer.ts";
import { toldFeatures } from "./told-features.ts";
import { sampleInputs, type Sample } from "./samples.ts";
import { ScorerError, ScorerSpec, type Scored, type Scorer } from "./scorer.ts";

/** All that makes a release what it is. The same bundle has the same id everywhere. */
export const ReleaseBundle = Type.Object(
  { endpoint: Type.String(), scorer: ScorerSpec, features: FeatureSetSpec, policy: PolicySpec },
  { title: "ReleaseBundle", additionalProperties: false },
);
export type ReleaseBundle = Static<typeof ReleaseBundle>;

/** `rel:` and the hash of the bundle's canonical JSON. */
export const releaseIdOf = (bundle: ReleaseBundle): ReleaseId => contentId<"ReleaseId">("rel", bundle);

/** Whether a model can be asked, and how often since it was loaded it couldn't. */
export interface ScorerHealth {
  readonly isUp: boolean;
  /** Times that its process had to be replaced, or its server was left alone for failing. */
  readonly breaks: number;
}

/** A release that can answer at once. Made by `loadRelease`; whoever loads it closes it. */
export interface LoadedRelease {
  readonly id: ReleaseId;
  /** Within its endpoint; people see it as `r12`. */
  readonly number: number;
  readonly bundle: ReleaseBundle;
  readonly endpoint: CompiledEndpoint;
  readonly features: CompiledFeatures;
  readonly policy: Policy;
  readonly scorer: Scorer;
  /** What the release gave for the sample people when it was loaded: the same every time, or something has changed. */
  readonly selfTest: { readonly samples: number; readonly digest: string };
  /** Process of its model; undefined for rules, inline models, and while it is being replaced. */
  readonly pid: number | undefined;
  /** How its model is now. Rules are always up. */
  health(): ScorerHealth;
  /** Frees what it holds. Calls under way fail as `closed`. */
  close(): Promise<void>;
}

/** What a release says to one person. */
export interface Answer {
  readonly score: number;
  readonly action: string;
  readonly favourable: boolean;
  /** Of the rule that gave the score, and of the policy's band; none where neither has one. */
  readonly reasons: readonly string[];
}

/** A score and what the release's policy makes of it. @param groups - the person's, as the request told them */
export function answerOf(release: LoadedRelease, { score, reasons }: Scored, groups: DecisionRequest["groups"]): Answer {
  const { action, favourable, reason } = release.policy.decide(score, groups);
  return { score, action, favourable, reasons: reason === null ? reasons : [...reasons, reason] };
}

/** Which release, and for which endpoint. */
export interface LoadOptions {
  readonly id: ReleaseId;
  readonly number: number;
  readonly bundle: ReleaseBundle;
  readonly endpoint: CompiledEndpoint;
}

/** What loading needs of the world. */
export interface LoadDependencies {
  readonly blobs: Pick<Blobs, "path" | "has" | "get">;
  readonly clock: Clock;
  /** Run models in this process instead of their own: deterministic, and blocking. For simulations only. */
  readonly inline?: boolean;
  /** Loading a model may take this long. Default 10 s. */
  readonly startTimeoutMs?: number;
  /** A scorer process that holds a batch longer than this is killed. Default 1 s. */
  readonly hangMs?: number;
  /** For releases whose model is behind a server; without it they are refused. */
  readonly http?: HttpDependencies;
  /** For releases whose model is in a container; without an engine they are refused. */
  readonly containers?: Containers;
}

/**
 * Compiles and warms a release and tries it on samples. Whatever doesn't fit comes back as issues with paths into the bundle: nothing
 * is left running then. A model that crashes or hangs while loading takes only its own process down.
 * @throws ScorerError when no scorer process can be started
 */
export async function loadRelease(options: LoadOptions, dependencies: LoadDependencies): Promise<Result<LoadedRelease, readonly Issue[]>> {
  const { id, number, bundle, endpoint } = options;
  const features = compileFeatures(bundle.features, endpoint.variables);
  const policy = compilePolicy(bundle.policy, endpoint.actions, endpoint);
  const rules = bundle.scorer.kind === "rules" ? compileRules(bundle.scorer, endpoint) : null;
  const told = toldFeatures(bundle.features, endpoint);
  const issues = [
    ...below("/features", features.ok ? told : features),
    ...below("/policy", policy),
    ...(rules ? below("/scorer", rules) : []),
  ];
  if (!features.ok || !policy.ok || (rules && !rules.ok) || issues.length > 0) return err(issues);

  const samples = sampleInputs(endpoint.inputs);
  const wrong = featureTrouble(features.value, samples);
  if (wrong) return err([wrong]);

  const opened: Opened = rules
    ? ok({ scorer: rules.value, pid: () => undefined, health: () => ALWAYS_UP })
    : await openModel(bundle, features.value, { id, endpoint, dependencies });
  if (!opened.ok) return opened;
  const { scorer, pid, health, logEnd } = opened.value;
  const tested = await selfTest(scorer, policy.value, samples, bundle.scorer);
  if (!tested.ok) {
    const log = await logEnd?.();
    await scorer.close();
    return err(below("/scorer", tested).map((issue) => withLog(issue, log)));
  }
  return ok({
    id,
    number,
    bundle,
    endpoint,
    features: features.value,
    policy: policy.value,
    scorer,
    selfTest: tested.value,
    get pid() {
      return pid();
    },
    health,
    close: () => scorer.close(),
  });
}

const ALWAYS_UP: ScorerHealth = { isUp: true, breaks: 0 };

/** What stands beside the model in the bundle; all else is about the file itself. */
const CHOSEN: ReadonlySet<string> = new Set(["output", "column", "class", "examples"]);

function below(path: string, result: Result<unknown, readonly Issue[]>): readonly Issue[] {
  return result.ok ? [] : result.error.map((issue) => ({ ...issue, path: path + issue.path }));
}

const withLog = (issue: Issue, log: string | undefined): Issue =>
  log === undefined ? issue : { ...issue, hint: issue.hint === undefined ? log : `${issue.hint}; ${log}` };

interface OpenScorer {
  readonly scorer: Scorer;
  readonly pid: () => number | undefined;
  readonly health: () => ScorerHealth;
  /** What the program that scores printed last, in words for an error, where that is known. */
  readonly logEnd?: () => Promise<string>;
}
type Opened = Result<OpenScorer, readonly Issue[]>;

/** Issues have paths into the bundle. */
async function openModel(
  { scorer, policy }: ReleaseBundle,
  features: CompiledFeatures,
  { id, endpoint, dependencies }: Pick<LoadOptions, "id" | "endpoint"> & { readonly dependencies: LoadDependencies },
): Promise<Opened> {
  switch (scorer.kind) {
    case "rules":
      throw new Error("rules are compiled");
    case "onnx": {
      const { blobs, clock, inline = false, startTimeoutMs = 10_000, hangMs } = dependencies;
      const opened = await openOnnx(scorer, features, { blobs, clock, inline, startTimeoutMs, hangMs });
      if (opened.ok) return opened;
      const place = (path: string) => (CHOSEN.has(path.split("/")[1] ?? "") ? "/scorer" : "/scorer/model");
      return err(opened.error.map((issue) => ({ ...issue, path: place(issue.path) + issue.path })));
    }
    case "http": {
      const labels = labelBands(scorer, policy);
      if (labels) return err([labels]);
      const { http, clock } = dependencies;
      if (!http)
        return err([{ path: "/scorer", expected: "a scorer that runs here", got: "one behind a server, which can't be called here" }]);
      const opened = await openHttpScorer(scorer, { features, endpoint }, { clock, http });
      if (!opened.ok) return err(below("/scorer", opened));
      return ok({ scorer: opened.value, pid: () => undefined, health: () => opened.value.health() });
    }
    case "container": {
      const labels = labelBands(scorer, policy);
      if (labels) return err([labels]);
      const { http, clock, containers } = dependencies;
      if (!http || !containers) return err([NO_ENGINE]);
      const opened = await openContainerScorer(scorer, { features, endpoint, release: id }, { ...http, clock, containers });
      if (!opened.ok) return err(below("/scorer", opened));
      const { value } = opened;
      return ok({ scorer: value, pid: () => undefined, health: () => value.health(), logEnd: () => value.logEnd() });
    }
    default:
      return unreachable(scorer);
  }
}

function labelBands({ gives }: { readonly gives?: "scores" | "labels" }, { bands }: PolicySpec): Issue | undefined {
  if (gives !== "labels" || bands.length <= 2) return undefined;
  return { path: "/scorer/gives", expected: "scores, for a policy of more than two bands", got: "labels" };
}

const NO_ENGINE: Issue = {
  path: "/scorer",
  expected: "a container engine, for a model in a container",
  got: "none that this server was told of",
  hint: "start Docker or Podman, and Evenkeel with --container-engine <socket>; without it DOCKER_HOST (unix:// only) and the usual places are looked at",
};

/** A feature that can't be computed for a sample, an optional input missing for example. */
function featureTrouble(features: CompiledFeatures, samples: readonly Sample[]): Issue | undefined {
  const row = new Float32Array(features.width);
  for (const { inputs, what } of samples) {
    try {
      features.derive(inputs, row, 0);
    } catch (error) {
      if (!(error instanceof CelFailure)) throw error;
      return { path: "/features", expected: "features for every valid request", got: `when ${what}: ${error.message}`, hint: MISSING };
    }
  }
  return undefined;
}
const MISSING = "say what holds without it: x == null ? 0 : x";

/** Twice over all samples: every one must get a score, and the same one. */
async function selfTest(
  scorer: Scorer,
  policy: Policy,
  samples: readonly Sample[],
  spec: ScorerSpec,
): Promise<Result<LoadedRelease["selfTest"], readonly Issue[]>> {
  const all = samples.map(({ inputs }) => inputs);
  const first = await scorer.scoreMany(all);
  const second = await scorer.scoreMany(all);
  for (const [i, { what }] of samples.entries()) {
    const scored = first[i];
    const again = second[i];
    const failure = [scored, again].find((each) => each instanceof ScorerError);
    if (failure?.trouble === "labels") return err([labelIssue(failure.message)]);
    if (failure) {
      const hint = failure.trouble === "bad-score" ? "the output must be a probability" : MISSING;
      return err([{ path: "", expected: "a score for every valid request", got: `when ${what}: ${failure.message}`, hint }]);
    }
    if (isScored(scored) && isScored(again) && scored.score !== again.score)
      return err([
        {
          path: "",
          expected: "the same score for the same person",
          got: `${scored.score}, then ${again.score}`,
          hint: "a model that draws random numbers can't be replayed or explained",
        },
      ]);
  }
  const scores = new Set(first.filter(isScored).map(({ score }) => score));
  if (
    (spec.kind === "http" || spec.kind === "container") &&
    spec.gives !== "labels" &&
    [...scores].every((score) => score === 0 || score === 1)
  )
    return err([labelIssue(`nothing but ${[...scores].join(" and ")} for ${samples.length} different people`)]);
  const answers = first.filter(isScored).map(({ score }) => ({ score, action: policy.decide(score, {}).action }));
  return ok({ samples: samples.length, digest: contentId("test", answers) });
}

/** A policy over labels would have bands that nobody ever falls into. */
const labelIssue = (got: string): Issue => ({
  path: "",
  expected: "scores from 0 to 1",
  got,
  hint: "labels are no scores: ask the server for probabilities (predict_proba; output, column and field say where they are), or say gives: labels for a policy of two bands",
});

const isScored = (scored: Scored | ScorerError | undefined): scored is Scored => scored !== undefined && !(scored instanceof ScorerError);
