/** What deploy/prometheus says: of metrics that there are, tried by promtool where that is, and each alert with what to do. */
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { HISTOGRAMS, NUMBERS } from "../src/api/metrics/families.ts";
import { hasPromtool, promtool } from "./promtool.ts";
import { freshServer, type FreshServer } from "./server.ts";
import { LENDING, applied, decided } from "./sinks.ts";

const PROMETHEUS = new URL("../deploy/prometheus/", import.meta.url);
const path = (name: string) => fileURLToPath(new URL(name, PROMETHEUS));
const ruleFiles = readdirSync(new URL("rules/", PROMETHEUS)).map((name) => `rules/${name}`);

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}
const rules = ruleFiles.flatMap((name) => {
  const { groups }: { groups: { rules: Rule[] }[] } = parse(readFileSync(path(name), "utf8"));
  return groups.flatMap((group) => group.rules);
});
const alerts = rules.flatMap(({ alert }) => alert ?? []);
const page = readFileSync(new URL("../docs/monitoring.md", import.meta.url), "utf8");

test("rules ask for metrics that are served, or that another rule records", () => {
  const known = new Set([
    ...Object.keys(NUMBERS),
    ...Object.keys(HISTOGRAMS).flatMap((name) => ["_bucket", "_sum", "_count"].map((part) => name + part)),
    ...rules.flatMap(({ record }) => record ?? []),
  ]);
  const asked = rules.flatMap(({ expr }) => expr.match(/\b(?:[a-z_]+:)?(?:evenkeel|process|nodejs)_[a-z0-9_]+(?::[a-z0-9_]+)?/g) ?? []);
  expect(asked.length).toBeGreaterThan(30);
  expect(asked.filter((name) => !known.has(name))).toEqual([]);
});

test("every alert has a severity and a summary, and the page says what to do", () => {
  for (const { alert, labels, annotations } of rules)
    if (alert) expect([alert, labels?.["severity"], annotations?.["summary"]]).toEqual([alert, expect.any(String), expect.any(String)]);
  const told = [...page.matchAll(/^\| (Evenkeel\w+(?:, Evenkeel\w+)*) \|/gm)].flatMap(([, names = ""]) => names.split(", "));
  expect(told.toSorted()).toEqual(alerts.toSorted());
});

test.skipIf(!hasPromtool)(
  "promtool finds no fault with the rules, and their scenarios fire what they should",
  { timeout: 120_000 },
  async () => {
    expect(await promtool(["check", "rules", ...ruleFiles.map(path)])).toContain(`SUCCESS: ${alerts.length} rules found`);
    expect(await promtool(["test", "rules", path("tests/evenkeel.yml")])).toContain("SUCCESS");
    // The token is a secret that compose mounts: not there now.
    expect(await promtool(["check", "config", "--syntax-only", path("prometheus.yml")])).toContain("SUCCESS");
  },
);

test.skipIf(!hasPromtool)("every alert fires in one of the scenarios", () => {
  const scenarios = readFileSync(path("tests/evenkeel.yml"), "utf8");
  expect(alerts.filter((alert) => !scenarios.includes(`alertname="${alert}"`))).toEqual([]);
});

describe.skipIf(!hasPromtool)("a scrape", () => {
  let server: FreshServer;
  beforeAll(async () => {
    server = await freshServer();
    await applied(server.admin, `${LENDING}---\nkind: sink\nname: archive\ntarget: { kind: ndjson }\n`);
    await decided(await server.as("application"), "a", 20);
  });
  afterAll(() => server.drop());

  test("is one that Prometheus reads, with names and units as it wants them", async () => {
    const answer = await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${await server.token("viewer")}` } });
    expect(await promtool(["check", "metrics"], await answer.text())).toBe("");
  });
});
