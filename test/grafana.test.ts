/** What deploy/grafana says, read as Grafana would: it can't be run here, so its shape is held against what Grafana documents. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { HISTOGRAMS, NUMBERS } from "../src/api/metrics/families.ts";
import { dashboardQueries, readDashboard } from "./grafana.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const text = (name: string) => readFileSync(new URL(`../deploy/${name}`, import.meta.url), "utf8");
const { panels, templating } = readDashboard();

test("writing it again changes nothing", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["scripts/grafana/write.ts", "--check"], { cwd: root });
  expect(stdout).toMatch(/all 4 files are as they would be written/);
});

test("every panel has a number of its own, a place on the grid that no other takes, a text, and the data source that was chosen", () => {
  expect(panels.length).toBeGreaterThan(25);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  for (const { gridPos: at, title, type, datasource, description, targets } of panels) {
    expect(at.x + at.w).toBeLessThanOrEqual(24);
    const over = panels.filter(({ gridPos: other }) => overlaps(at, other));
    expect([title, over.length]).toEqual([title, 1]);
    if (type === "row") continue;
    expect([title, datasource?.uid, description]).toEqual([title, "${datasource}", expect.stringMatching(/\.$/)]);
    const refIds = (targets ?? []).map(({ refId }) => refId);
    expect([title, new Set(refIds).size, refIds.length > 0]).toEqual([title, refIds.length, true]);
  }
});

test("it asks for metrics that are served, by the labels that they have, and for variables that there are", () => {
  const labelsOf: ReadonlyMap<string, readonly string[]> = new Map([
    ...Object.entries(NUMBERS).map(([name, { labels }]): [string, readonly string[]] => [name, labels]),
    ...Object.entries(HISTOGRAMS).map(([name, { labels }]): [string, readonly string[]] => [`${name}_bucket`, [...labels, "le"]]),
  ]);
  const variables = new Set(templating.list.map(({ name }) => name));
  const queries = dashboardQueries();
  expect(queries.length).toBeGreaterThan(40);
  for (const { expr } of queries) {
    for (const [, name = "", , matchers = ""] of expr.matchAll(/\b((?:evenkeel|process|nodejs)_[a-z_]+)(\{([^}]*)\})?/g)) {
      const labels = labelsOf.get(name);
      expect([name, labels !== undefined]).toEqual([name, true]);
      for (const [, label = ""] of matchers.matchAll(/([a-z_]+)\s*(?:=~|!=|!~|=)"/g))
        expect([expr, [...(labels ?? []), "job", "instance"]]).toEqual([expr, expect.arrayContaining([label])]);
    }
    for (const [, variable = ""] of expr.matchAll(/\$(?!__)([a-z]+)/g)) expect(variables).toContain(variable);
  }
});

test("Grafana's alerts are those of Prometheus, under names that it takes", () => {
  interface Group {
    readonly name: string;
    readonly rules: readonly {
      readonly uid: string;
      readonly title: string;
      readonly condition: string;
      readonly data: readonly { readonly refId: string; readonly datasourceUid: string }[];
      readonly annotations: { readonly summary: string };
      readonly notification_settings: { readonly receiver: string };
    }[];
  }
  const { groups, contactPoints }: { groups: readonly Group[]; contactPoints: readonly { readonly name: string }[] } = parse(
    text("grafana/provisioning/alerting/evenkeel.yaml"),
  );
  const { groups: prometheus }: { groups: { name: string; rules: { alert: string }[] }[] } = parse(
    text("prometheus/rules/evenkeel-alerts.yml"),
  );
  expect(groups.map(({ name, rules }) => [name, rules.map(({ title }) => title)])).toEqual(
    prometheus.map(({ name, rules }) => [name, rules.map(({ alert }) => alert)]),
  );
  const rules = groups.flatMap((group) => group.rules);
  expect(new Set(rules.map(({ uid }) => uid)).size).toBe(rules.length);
  for (const { uid, data, condition, annotations, notification_settings: to } of rules) {
    expect(uid).toMatch(/^[a-z-]{1,40}$/);
    expect([data.map(({ refId }) => refId), condition]).toEqual([["A", "B", "C"], "C"]);
    expect(data.map(({ datasourceUid }) => datasourceUid)).toEqual(["prometheus", "prometheus", "__expr__"]);
    expect(annotations.summary).not.toContain("$value ");
    expect(contactPoints.map(({ name }) => name)).toContain(to.receiver);
  }
});

interface Place {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}
const overlaps = (a: Place, b: Place): boolean => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
