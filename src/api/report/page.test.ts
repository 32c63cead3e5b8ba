import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { html } from "./markup.ts";
import { reportPage } from "./page.ts";
import type { Figure, ReportView } from "./report-view.ts";

const figure = (value: number | null, low: number | null = null, high: number | null = null): Figure => ({ value, low, high, why: null });
const EVIL = `</style><script>alert("x")</script><img src=x onerror=alert(1)>&amp;'\u202e\u0007`;

/** A report with something in every part, and the same text wherever people's words can stand. */
function reportWith(text: string): ReportView {
  const rate = { decisions: 100, favourable: 60, rate: figure(0.6, 0.5, 0.7) };
  const group = {
    group: text,
    isReference: false,
    ...rate,
    ratio: figure(0.72, 0.6, 0.85),
    difference: figure(-0.2, -0.3, -0.1),
    belowFourFifths: true,
    byOnePerson: true,
    pValue: 0.00001,
    qValue: 0.01,
    shortfall: 12.4,
  };
  const outcome = {
    group: text,
    coverage: figure(0.5),
    truePositiveRate: { value: null, low: 0.7, high: 1, why: "selective_labels" },
    falsePositiveRate: { value: null, low: 0.475, high: 0.475, why: "selective_labels" },
    positivePredictiveValue: figure(0.9, 0.8, 0.95),
    accuracy: figure(null),
  };
  const at = "2026-11-30T10:00:00.000Z";
  return {
    endpoint: text,
    description: text,
    from: "2026-11-01",
    to: "2026-12-01",
    madeAt: at,
    madeBy: text,
    showsGroups: true,
    smallCell: 10,
    isOver: false,
    labels: "favourable_only",
    budget: 0.01,
    decisions: {
      total: 100,
      repeats: 1,
      fallback: 2,
      favourable: rate,
      actions: [{ action: text, isFavourable: true, decisions: 60 }],
      releases: [{ release: text, name: text, arm: "live", isShadow: false, ...rate, fallback: 2, meanLatencyMs: 1.5 }],
      days: [{ day: "2026-11-01", decisions: 100, favourable: 60, releases: { [text]: 100 } }],
    },
    groups: [
      {
        scope: "everybody",
        attributes: [text],
        reference: text,
        referenceMode: "declared",
        rows: [{ ...group, isReference: true }, group],
        smallest: { group: text, ...figure(0.72, 0.6, 0.85) },
        outcomes: [outcome],
      },
    ],
    guardrails: [
      {
        guardrail: text,
        metric: "adverse_impact_ratio",
        action: "roll_back",
        release: text,
        arm: "serving",
        group: text,
        reference: text,
        limit: 0.8,
        state: "breached",
        groupDecisions: 50,
        referenceDecisions: 50,
        estimate: 0.7,
        band: { low: 0.5, high: null },
        likeForLike: 0.7,
        likeForLikeInterval: { low: 0.6, high: null },
        mixDiffers: true,
        isNamed: true,
        isWarned: true,
        why: text,
        odds: text,
        direction: "at_least",
        evidence: 1e9,
        threshold: 200,
        forecastDecisions: 40,
        paused: text,
      },
    ],
    incidents: [
      {
        n: 1,
        endpoint: text,
        kind: "breach",
        state: "open",
        next: [],
        title: text,
        release: text,
        restored: text,
        openedAt: at,
        openedBy: text,
        reason: text,
        notRolledBack: text,
        proof: null,
        candidates: [],
        rollback: { from: text, to: text, automatic: true, generation: 3, switchedMs: 1.2, drainedMs: 3, failedRequests: 0 },
        timeline: [{ at, sinceProofMs: null, kind: text, actor: text, text }],
        people: { total: 10, better: 3, worse: null, notReplayable: 0 },
      },
    ],
    transitions: [
      {
        generation: 3,
        kind: "promoted",
        release: text,
        from: text,
        share: 0.5,
        when: null,
        automatic: false,
        actor: text,
        reason: text,
        at,
      },
    ],
    moreTransitions: 1,
    releases: [
      {
        endpoint: text,
        release: text,
        id: text,
        name: text,
        scorer: "onnx",
        createdAt: at,
        createdBy: text,
        places: ["live"],
        isCondemned: true,
        models: [{ version: text, id: text, blob: text, registeredAt: at }],
        featureSets: [{ version: text, id: text }],
        runs: [],
        datasets: [{ version: text, id: text, blob: text, rows: 3, addedAt: at }],
        unknown: [text],
      },
    ],
    drift: [
      {
        release: text,
        arm: "live",
        against: "training",
        trainedOn: text,
        moved: [
          {
            what: "scores",
            against: "training",
            psi: 0.2,
            distance: 0.1,
            why: null,
            status: "drift",
            qValue: 0,
            bars: [{ label: text, n: 3, reference: 4 }],
          },
          { what: text, against: "launch", psi: null, distance: null, why: "no_profile", status: null, qValue: null, bars: [] },
        ],
        writers: [{ writer: text, what: text, share: 0.3, rate: 1, meanScore: 0.9, psi: 0.4, why: null, status: "drift" }],
        hidden: 1,
        rows: [
          {
            input: text,
            psi: 0.3,
            why: null,
            status: "drift",
            qValue: 0.001,
            missing: 0.1,
            invalidType: 0,
            outOfRange: null,
            newCategory: null,
            unitChange: 1000,
            alerts: ["unit_change_ratio"],
          },
        ],
      },
    ],
    inputs: [{ expectation: text, onBreach: "warn", checked: 100, breaches: { above: 3, below: 0 } }],
    inputWarnings: [{ expectation: text, breach: "above", at, checked: 100, breached: 3, share: 0.03, limit: 0.01 }],
    drills: [
      { at, mode: "replay", live: text, target: text, passed: false, thereMs: null, backMs: null, answers: 3, failed: 1, actor: text },
    ],
    auditHead: `12:${"ab".repeat(32)}`,
    limits: [text],
  };
}

test("the same report gives the same bytes", () => {
  expect(reportPage(reportWith("loans"))).toBe(reportPage(structuredClone(reportWith("loans"))));
});

test("bounds are told as such, and as one number where they meet", () => {
  const page = reportPage(reportWith("loans"));
  expect(page).toContain("70.0 % to 100.0 %");
  expect(page).toContain("47.5 %");
  expect(page).not.toContain("47.5 % to");
});

test("what moved is drawn, told by token, and in short", () => {
  const page = reportPage(reportWith("loans"));
  for (const said of [
    "Drift of loans: scores, loans.",
    "1 token sent loans another mix",
    "loans: 100.0 % before, 100.0 % now",
    "nothing to compare with",
  ])
    expect(page).toContain(said);
});

test("no text of anybody's becomes markup, wherever it stands", () => {
  const plain = reportPage(reportWith("loans"));
  const evil = reportPage(reportWith(EVIL));
  const tags = (page: string) => [...page.matchAll(/<\/?[a-z!][^\s>]*/gi)].map(([tag]) => tag);
  expect(tags(evil)).toEqual(tags(plain));
  for (const raw of ["<script", "<img", "\u202e", "\u0007"]) expect(evil).not.toContain(raw);
  expect(evil).toContain("&lt;script&gt;");
  // In attributes as well: each has its quotes around it, and nothing ends them early.
  expect(evil.match(/\son\w+\s*=\s*["']/gi)).toBeNull();
});

test("the page asks the network for nothing, runs nothing, and its policy allows its own style alone", () => {
  const page = reportPage(reportWith("loans"));
  const style = /<style>([\s\S]*?)<\/style>/.exec(page)?.[1] ?? "";
  const hash = createHash("sha256").update(style).digest("base64");
  expect(page).toContain(`default-src &#39;none&#39;; style-src &#39;sha256-${hash}&#39;`);
  expect(page).not.toMatch(/\s(src|srcset|style|href)="(?!#)/);
  expect(style).not.toMatch(/url\(|@import|</);
  expect(page.indexOf("Content-Security-Policy")).toBeLessThan(page.indexOf("<style>"));
});

test("it can be read without seeing it: a language, one first heading, tables with captions and headings, plots with words", () => {
  const page = reportPage(reportWith("loans"));
  expect(page).toMatch(/^<!doctype html>\n<html lang="en">/);
  expect(page.match(/<h1/g)).toHaveLength(1);
  const tables = [...page.matchAll(/<table>[\s\S]*?<\/table>/g)].map(([table]) => table);
  expect(tables.length).toBeGreaterThan(8);
  for (const table of tables) {
    expect(table).toMatch(/<caption>\s*\S/);
    expect(table).toContain('<th scope="col"');
    expect(table).toContain('<th scope="row">');
  }
  for (const [svg] of page.matchAll(/<svg[^>]*>/g)) expect(svg).toMatch(/aria-label="[^"]+"|aria-hidden="true"/);
  const anchors = [...page.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
  expect(anchors.length).toBeGreaterThan(8);
  for (const id of anchors) expect(page).toContain(`id="${id}"`);
  // A state is a word, never a colour alone.
  expect(page).toContain('<span class="tag bad">breached</span>');
});

describe("markup", () => {
  test("escapes texts and numbers, joins lists, and leaves out nothing and false", () => {
    const list = ["a<", "b"].map((text) => html`<i>${text}</i>`);
    expect(html`<p title="${'"'}">${list}${null}${false}${3}</p>`.text).toBe('<p title="&quot;"><i>a&lt;</i><i>b</i>3</p>');
  });
});
