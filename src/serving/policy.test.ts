import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compilePolicy, type PolicySpec } from "./policy.ts";

const actions = { approve: { favourable: true }, refer: { favourable: false }, deny: { favourable: false } };
const names = ["approve", "refer", "deny"] as const;
const compile = (bands: PolicySpec["bands"]) => {
  const policy = compilePolicy({ bands }, actions);
  if (!policy.ok) throw new Error(JSON.stringify(policy.error));
  return policy.value;
};
const issues = (bands: PolicySpec["bands"]) => {
  const policy = compilePolicy({ bands }, actions);
  return policy.ok ? [] : policy.error;
};

test("a band holds its beginning, the next one its end, the last one 1 as well", () => {
  const policy = compile([
    { action: "deny", from: 0, to: 0.4, reason: "the risk is too high" },
    { action: "refer", from: 0.4 },
    { action: "approve", from: 0.6, to: 1 },
  ]);
  const at = (score: number) => policy.decide(score, {}).action;
  expect([0, 0.39999999999999997, 0.4, 0.6, 1].map(at)).toEqual(["deny", "deny", "refer", "approve", "approve"]);
  expect(policy.decide(0, {})).toEqual({ action: "deny", favourable: false, reason: "the risk is too high" });
  expect(policy.decide(1, {})).toEqual({ action: "approve", favourable: true, reason: null });
});

/** Bands that share [0, 1] out, in any order in the file. */
const partition = fc
  .tuple(
    fc.uniqueArray(fc.double({ min: 0.001, max: 0.999, noNaN: true }), { maxLength: 8 }),
    fc.array(fc.constantFrom(...names), { minLength: 9, maxLength: 9 }),
  )
  .map(([cuts, chosen]) =>
    [0, ...cuts.toSorted((a, b) => a - b)].map((from, i, all) => ({ action: chosen[i] ?? "deny", from, to: all[i + 1] ?? 1 })),
  );

describe("whatever the bands", () => {
  test("every score has the action of the one band that holds it", () => {
    fc.assert(
      fc.property(partition, fc.double({ min: 0, max: 1, noNaN: true }), (bands, score) => {
        const holding = bands.filter(({ from, to }) => score >= from && (score < to || (to === 1 && score === 1)));
        expect(holding).toHaveLength(1);
        expect(compile(bands).decide(score, {}).action).toBe(holding[0]?.action);
        expect(compile(bands.toReversed()).decide(score, {})).toEqual(compile(bands).decide(score, {}));
        expect(compile(bands.map(({ action, from }) => ({ action, from }))).decide(score, {})).toEqual(compile(bands).decide(score, {}));
      }),
    );
  });
  test("one that is missing, moved or doubled is refused", () => {
    fc.assert(
      fc.property(partition, fc.nat(), fc.double({ min: 0.0005, max: 0.2, noNaN: true }), (bands, pick, by) => {
        const i = pick % bands.length;
        const band = bands[i];
        if (!band) throw new Error("a band");
        const broken = [[...bands, band], bands.filter((each) => each !== band)];
        if (band.to + by <= 1) broken.push(bands.with(i, { ...band, to: band.to + by }));
        if (band.to - by > band.from) broken.push(bands.with(i, { ...band, to: band.to - by }));
        expect(broken.filter((each) => each.length > 0 && issues(each).length === 0)).toEqual([]);
      }),
    );
  });
});

test.each([
  [[{ action: "deny", from: 0.1 }], { path: "/bands/0/from", got: "a gap from 0 to 0.1" }],
  [[{ action: "deny", from: 0, to: 0.9 }], { path: "/bands", got: "a gap from 0.9 to 1" }],
  [
    [
      { action: "deny", from: 0, to: 0.5 },
      { action: "approve", from: 0.6 },
    ],
    { path: "/bands/1/from", got: "a gap from 0.5 to 0.6" },
  ],
  [
    [
      { action: "approve", from: 0.4 },
      { action: "deny", from: 0, to: 0.5 },
    ],
    { path: "/bands/0/from", expected: "0.5, where the band before ends" },
  ],
  [
    [
      { action: "deny", from: 0, to: 0 },
      { action: "approve", from: 0 },
    ],
    { path: "/bands/0/to" },
  ],
  [[{ action: "aprove", from: 0 }], { path: "/bands/0/action", hint: "did you mean approve?" }],
  [[{ action: "toString", from: 0 }], { path: "/bands/0/action" }],
])("%o is refused where it is wrong", (bands, issue) => expect(issues(bands)).toContainEqual(expect.objectContaining(issue)));

test("what is no score is an error of the program, not an action", () => {
  const policy = compile([{ action: "approve", from: 0 }]);
  for (const score of [Number.NaN, -0.1, 1.1, Number.POSITIVE_INFINITY]) expect(() => policy.decide(score, {})).toThrow(RangeError);
});

describe("thresholds by group", () => {
  const groups = { sex: ["female", "male"] };
  const bands = [
    { action: "deny", from: 0 },
    { action: "approve", from: 0.6 },
  ];
  const lower = [
    { action: "deny", from: 0 },
    { action: "approve", from: 0.5 },
  ];
  const spec: PolicySpec = { bands, by: { attribute: "sex", groups: { female: { bands: lower } } } };
  const words = "Article 12 allows it; approved by the board on 2026-11-02";

  test("are refused, in words that say why, unless the endpoint allows them", () => {
    const refused = compilePolicy(spec, actions, { groups });
    expect(refused.ok ? [] : refused.error).toMatchObject([
      {
        path: "/by",
        expected: "the same bands for everybody",
        got: "bands by sex",
        hint: expect.stringContaining("unlawful in many places"),
      },
    ]);
    expect(compilePolicy(spec, actions, { groups, allowGroupThresholds: words }).ok).toBe(true);
  });

  test("hold for their group; whoever is of another, or of none that is told, has the bands of everybody", () => {
    const policy = compilePolicy(spec, actions, { groups, allowGroupThresholds: words });
    if (!policy.ok) throw new Error(JSON.stringify(policy.error));
    const action = (of: Readonly<Record<string, string>>) => policy.value.decide(0.55, of).action;
    expect([action({ sex: "female" }), action({ sex: "male" }), action({}), action({ sex: "other" })]).toEqual([
      "approve",
      "deny",
      "deny",
      "deny",
    ]);
  });

  test("name what the endpoint declares, and are bands like others", () => {
    const wrong = (by: NonNullable<PolicySpec["by"]>) => {
      const compiled = compilePolicy({ bands, by }, actions, { groups, allowGroupThresholds: words });
      return compiled.ok ? [] : compiled.error.map(({ path }) => path);
    };
    expect(wrong({ attribute: "age", groups: { old: { bands } } })).toEqual(["/by/attribute"]);
    expect(wrong({ attribute: "sex", groups: { femal: { bands } } })).toEqual(["/by/groups/femal"]);
    expect(wrong({ attribute: "sex", groups: { male: { bands: [{ action: "approve", from: 0.2 }] } } })).toEqual([
      "/by/groups/male/bands/0/from",
    ]);
  });
});
