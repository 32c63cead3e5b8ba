/** A report of blame as the page of its incident shows it, with what changed in each step. */
import { Type } from "typebox";
import { checked } from "../checked.ts";
import { stepName, type StoredBlame } from "../diagnosis/index.ts";
import type { Run, Registry } from "../registry/index.ts";
import type { ReleaseInfo } from "../releases/index.ts";
import type { BlameView } from "./ui-view.ts";

const LABELS: Readonly<Record<string, string>> = { population: "Who applies" };

/** `Data`; `Algorithm and hyperparameters` of two that no mixture could tell apart. */
function labelOf(step: string): string {
  const text = LABELS[step] ?? step.split("+").join(" and ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function blameView(report: StoredBlame, changes: ReadonlyMap<string, string>, seesGroups: boolean): BlameView {
  const { tier, madeAtMs, verdict, harm, parts, unexplained, people, seeds } = report;
  return {
    tier,
    madeMs: madeAtMs,
    verdict: { word: verdict.word, steps: verdict.steps.map(stepName), because: seesGroups ? verdict.because : "" },
    harm,
    parts: parts
      .toSorted((a, b) => b.share - a.share)
      .map(({ step, share, low, high }) => ({
        step,
        label: labelOf(step),
        change: step.split("+").flatMap((part) => changes.get(part) ?? [])[0] ?? null,
        share,
        low,
        high,
        isNamed: verdict.steps.includes(step),
      })),
    unexplained,
    method:
      tier === 0
        ? `Both releases answered the same ${(people.good + people.bad).toLocaleString("en")} recorded applications again; shares are Shapley values.`
        : `Every mixture of the two releases was trained again with ${seeds.length} seeds and answered the recorded applications; shares are Owen values.`,
  };
}

const Named = Type.Object({ name: Type.String(), number: Type.Integer() });
const parseOrigin = checked(
  Type.Object({
    model: Type.Union([Named, Type.Null()]),
    featureSet: Type.Union([Named, Type.Null()]),
    run: Type.Union([Type.String(), Type.Null()]),
  }),
);

/** What is known to differ between two releases, by the step that it belongs to: `credit/1 → credit/2`. */
export async function changesBetween(registry: Registry, good: ReleaseInfo, bad: ReleaseInfo): Promise<ReadonlyMap<string, string>> {
  const [before, after] = [await makingOf(registry, good), await makingOf(registry, bad)];
  const changes = new Map<string, string>();
  const note = (step: string, from: string | undefined, to: string | undefined) => {
    if (from !== undefined && to !== undefined && from !== to) changes.set(step, `${from} → ${to}`);
  };
  const [from, to] = [before.best, after.best];
  if (from && to && from.from !== to.from)
    changes.set("threshold", `${from.action} from ${from.from} → ${from.action === to.action ? "" : `${to.action} from `}${to.from}`);
  for (const step of ["model", "features", "data", "algorithm"] as const) note(step, before[step], after[step]);
  const keys = Object.keys(after.params).filter((key) => key.startsWith("train.") && key in before.params);
  const differing = keys.filter((key) => before.params[key] !== after.params[key]);
  if (differing.length > 0)
    changes.set("hyperparameters", differing.map((key) => `${key.slice(6)} ${before.params[key]} → ${after.params[key]}`).join(", "));
  return changes;
}

interface Making {
  /** The band that is best for the person. */
  readonly best: { readonly action: string; readonly from: number } | undefined;
  readonly model: string | undefined;
  readonly features: string | undefined;
  readonly data: string | undefined;
  readonly algorithm: string | undefined;
  readonly params: Run["params"];
}

async function makingOf({ runs, datasets }: Registry, { bundle, origin }: ReleaseInfo): Promise<Making> {
  const [best] = bundle.policy.bands.toSorted((a, b) => b.from - a.from);
  const parsed = parseOrigin(origin);
  const { model = null, featureSet = null, run: id = null } = parsed.ok ? parsed.value : {};
  const named = (one: { readonly name: string; readonly number: number } | null) => (one ? `${one.name}/${one.number}` : undefined);
  const run = id === null ? undefined : await runs.get(id);
  const known = run?.ok ? run.value : undefined;
  const input = known?.inputs.find(({ kind }) => kind === "dataset_version");
  const data = input && (await datasets.get(input.id));
  return {
    best,
    model: named(model),
    features: named(featureSet),
    data: data?.ok ? `${data.value.dataset}/${data.value.number}` : undefined,
    algorithm: known?.name.replaceAll("-", " "),
    params: known?.params ?? {},
  };
}
