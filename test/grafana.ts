/** The dashboard in deploy/grafana, for tests. */
import { readFileSync } from "node:fs";

export interface DashboardFile {
  readonly panels: readonly {
    readonly id: number;
    readonly type: string;
    readonly title?: string;
    readonly description?: string;
    readonly datasource?: { readonly uid: string };
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets?: readonly { readonly refId: string; readonly expr: string; readonly instant?: boolean }[];
  }[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: string | { readonly query: string } }[] };
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr: string }[] };
}

export const readDashboard = (): DashboardFile =>
  JSON.parse(readFileSync(new URL("../deploy/grafana/dashboards/evenkeel.json", import.meta.url), "utf8"));

/** Everything that it asks Prometheus, and where: panels, annotations, and the lists to choose from. */
export function dashboardQueries(): readonly { readonly where: string; readonly expr: string }[] {
  const { panels, annotations, templating } = readDashboard();
  return [
    ...panels.flatMap(({ title = "", targets = [] }) => targets.map(({ refId, expr }) => ({ where: `${title} ${refId}`, expr }))),
    ...annotations.list.map(({ name, expr }) => ({ where: name, expr })),
    ...templating.list.flatMap(({ name, query }) => {
      const [, expr] = typeof query === "string" ? [] : (/^label_values\((.*), \w+\)$/.exec(query.query) ?? []);
      return expr === undefined ? [] : [{ where: `variable ${name}`, expr }];
    }),
  ];
}
