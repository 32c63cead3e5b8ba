/**
 * `npm run grafana`: writes deploy/grafana (data source, dashboard, alerting) with Grafana's own SDK; alerts come from Prometheus' rules.
 * `-- --check` only says whether it is up to date.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { parse, stringify } from "yaml";
import { ROOT } from "../programs.ts";
import { DATASOURCE_UID, provisionedContact, provisionedGroup, type Alert } from "./alerting.ts";
import { dashboard } from "./dashboard.ts";

const { values } = parseArgs({ options: { check: { type: "boolean" } } });
const ALERTS = join(ROOT, "deploy/prometheus/rules/evenkeel-alerts.yml");
const { groups } = asRules(parse(readFileSync(ALERTS, "utf8")));

/** As data: the SDK's queries carry functions, which JSON leaves out. */
const yaml = (value: object) =>
  `# Written by npm run grafana (scripts/grafana).\n${stringify(JSON.parse(JSON.stringify(value)), { lineWidth: 0, aliasDuplicateObjects: false })}`;
const files = {
  "dashboards/evenkeel.json": `${JSON.stringify(dashboard(), null, 2)}\n`,
  "provisioning/alerting/evenkeel.yaml": yaml({
    apiVersion: 1,
    contactPoints: [provisionedContact()],
    groups: groups.map(({ name, rules }) => provisionedGroup(name, rules)),
  }),
  "provisioning/dashboards/evenkeel.yaml": yaml({
    apiVersion: 1,
    providers: [
      {
        name: "evenkeel",
        orgId: 1,
        folder: "Evenkeel",
        type: "file",
        disableDeletion: true,
        updateIntervalSeconds: 30,
        allowUiUpdates: false,
        options: { path: "/etc/grafana/dashboards" },
      },
    ],
  }),
  "provisioning/datasources/prometheus.yaml": yaml({
    apiVersion: 1,
    datasources: [
      {
        name: "Prometheus",
        uid: DATASOURCE_UID,
        type: "prometheus",
        access: "proxy",
        url: "http://prometheus:9090",
        isDefault: true,
        editable: false,
        jsonData: { timeInterval: "15s" },
      },
    ],
  }),
};

const stale = Object.entries(files).filter(([name, text]) => written(name) !== text);
if (values.check) {
  console.log(
    stale.length === 0
      ? `deploy/grafana: all ${Object.keys(files).length} files are as they would be written`
      : `deploy/grafana/${stale[0]?.[0]} is out of date: npm run grafana`,
  );
  process.exitCode = stale.length === 0 ? 0 : 1;
} else {
  for (const [name, text] of stale) {
    mkdirSync(dirname(pathOf(name)), { recursive: true });
    writeFileSync(pathOf(name), text);
  }
  console.log(`deploy/grafana: ${stale.length} of ${Object.keys(files).length} files written, the others were so already`);
}

function pathOf(name: string): string {
  return join(ROOT, "deploy/grafana", name);
}
function written(name: string): string | undefined {
  try {
    return readFileSync(pathOf(name), "utf8");
  } catch {
    return undefined; // not there yet
  }
}
/** The rules of this repository; promtool checks them. */
function asRules(value: unknown): { readonly groups: readonly { readonly name: string; readonly rules: readonly Alert[] }[] } {
  return value as ReturnType<typeof asRules>;
}
