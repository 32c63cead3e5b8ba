/** Scorecards: points by bin, added up, as the credit industry has them. Pure. */
import { err, ok, type Issue, type Result } from "../std.ts";
import type { CelVariable } from "./cel.ts";
import { compileTest, computedAxis, inputAxis, kindsOfValue, shownValue, type Axis, type CompiledTest } from "./cell-tests.ts";
import type { InputsSpec } from "./endpoint-spec.ts";
import type { Inputs } from "./inputs.ts";
import { ScorerError, type Scored, type ScorecardSpec } from "./scorer.ts";

type Card = ScorecardSpec["scorecard"];
type CharacteristicSpec = Card["characteristics"][number];

interface Award {
  readonly points: number;
  readonly reason: string | null;
}

interface Characteristic {
  readonly most: number;
  readonly least: number;
  /** @throws CelFailure or ScorerError */
  award(inputs: Inputs): Award;
}

const MOST_REASONS = 4;

/**
 * Compiles a scorecard: every value of a characteristic is in exactly one of its bins, and every sum of points has a score. Reasons
 * are the characteristics that lost most points against their best bin; what lost none is no reason. Issues have paths below
 * `/scorecard`.
 */
export function compileScorecard(
  card: Card,
  known: { readonly inputs: InputsSpec; readonly variables: ReadonlyMap<string, CelVariable> },
): Result<(inputs: Inputs) => Scored, readonly Issue[]> {
  const issues: Issue[] = [];
  const names = new Set<string>();
  const all = card.characteristics.flatMap((spec, i) => {
    const path = `/scorecard/characteristics/${i}`;
    const name = spec.name ?? spec.input ?? "";
    if (names.has(name)) issues.push({ path: `${path}/name`, expected: "a name that no other characteristic has", got: name || "nothing" });
    names.add(name);
    const compiled = compileCharacteristic(spec, known, path);
    if (!compiled.ok) issues.push(...compiled.error);
    return compiled.ok ? [compiled.value] : [];
  });
  const base = card.base ?? 0;
  const least = all.reduce((sum, each) => sum + each.least, base);
  const most = all.reduce((sum, each) => sum + each.most, base);
  const scale = scaleOf(card.scale, least, most);
  if (!scale.ok && issues.length === 0) issues.push(scale.error);
  if (!scale.ok || issues.length > 0) return err(issues);
  const reasons = card.reasons ?? MOST_REASONS;
  return ok((inputs) => {
    let points = base;
    const lost: { readonly points: number; readonly reason: string }[] = [];
    for (const each of all) {
      const award = each.award(inputs);
      points += award.points;
      if (award.reason !== null && award.points < each.most) lost.push({ points: each.most - award.points, reason: award.reason });
    }
    const principal = lost.toSorted((a, b) => b.points - a.points).slice(0, reasons);
    return { score: scale.value(points), reasons: principal.map(({ reason }) => reason) };
  });
}

function scaleOf(scale: Card["scale"], least: number, most: number): Result<(points: number) => number, Issue> {
  if ("odds" in scale) {
    const { at, odds, double } = scale;
    return ok((points) => 1 / (1 + Math.exp(-(Math.log(odds) + ((points - at) * Math.LN2) / double))));
  }
  const { from, to } = scale;
  if (from >= to) return err({ path: "/scorecard/scale", expected: "from less than to", got: `from ${from} to ${to}` });
  if (least < from || most > to) {
    const hint = "beyond its ends people with different points would get the same score";
    return err({
      path: "/scorecard/scale",
      expected: `a scale that holds every sum of points, ${least} to ${most}`,
      got: `from ${from} to ${to}`,
      hint,
    });
  }
  // Sums of points that aren't whole numbers may miss the ends by a rounding.
  return ok((points) => Math.min(1, Math.max(0, (points - from) / (to - from))));
}

function compileCharacteristic(
  spec: CharacteristicSpec,
  { inputs, variables }: { readonly inputs: InputsSpec; readonly variables: ReadonlyMap<string, CelVariable> },
  path: string,
): Result<Characteristic, readonly Issue[]> {
  if ((spec.input === undefined) === (spec.cel === undefined))
    return err([{ path, expected: "exactly one of input and cel", got: spec.input === undefined ? "neither" : "both" }]);
  if (spec.cel !== undefined && spec.name === undefined)
    return err([{ path: `${path}/name`, expected: "a name for what is computed", got: "nothing" }]);
  const axis =
    spec.cel === undefined
      ? inputAxis(spec.input ?? "", inputs, `${path}/input`)
      : computedAxis({ name: spec.name ?? "", cel: spec.cel, tested: spec.bins.map(({ is }) => is) }, variables, `${path}/cel`);
  if (!axis.ok) return axis;
  const issues: Issue[] = [];
  const bins = spec.bins.flatMap(({ is, points, reason }, i) => {
    const test = compileTest(is, axis.value, `${path}/bins/${i}/is`);
    if (!test.ok) issues.push(...test.error);
    return test.ok ? [{ test: test.value, award: { points, reason: reason ?? spec.reason ?? null } }] : [];
  });
  if (issues.length > 0) return err(issues);
  const otherwise: Award | null = spec.otherwise
    ? { points: spec.otherwise.points, reason: spec.otherwise.reason ?? spec.reason ?? null }
    : null;
  const wrong = coverage(
    spec,
    axis.value,
    bins.map(({ test }) => test),
    path,
  );
  if (wrong.length > 0) return err(wrong);
  const awards = [...bins.map(({ award }) => award.points), ...(otherwise ? [otherwise.points] : [])];
  const { value } = axis;
  return ok({
    most: Math.max(...awards),
    least: Math.min(...awards),
    award(given) {
      const at = value.valueOf(given);
      const award = bins.find(({ test }) => test.holds(at))?.award ?? otherwise;
      if (award) return award;
      throw new ScorerError("not-computable", `${value.name} is in no bin`); // a computed one that is no number
    },
  });
}

/** Values that are in no bin, or in two. */
function coverage(spec: CharacteristicSpec, axis: Axis, tests: readonly CompiledTest[], path: string): readonly Issue[] {
  for (const value of kindsOfValue(
    axis,
    tests,
    spec.bins.map(({ is }) => is),
  )) {
    const hits = tests.flatMap((test, i) => (test.holds(value) ? [i] : []));
    const [first, second] = hits;
    if (second !== undefined)
      return [
        {
          path: `${path}/bins/${second}`,
          expected: "bins that don't overlap",
          got: `${axis.name} ${shownValue(value)} is in bin ${first} too`,
        },
      ];
    if (first === undefined && !spec.otherwise) {
      const hint = value === null ? "add a bin { is: { missing: true }, … }" : "add a bin, or otherwise";
      return [{ path: `${path}/bins`, expected: `a bin for every ${axis.name}`, got: `none for ${shownValue(value)}`, hint }];
    }
  }
  return [];
}
