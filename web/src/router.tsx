import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from "@tanstack/react-router";
import { HomePage } from "./home/home-page.tsx";
import { mlflowAddress } from "./runs/mlflow-address.ts";
import { Shell } from "./shell/shell.tsx";
import { BrokenPage, NoSuchPage } from "./shell/lost.tsx";

const root = createRootRoute({ component: Shell, notFoundComponent: NoSuchPage, errorComponent: BrokenPage });

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: HomePage,
  // MLflow's clients print "View run at …/#/experiments/0/runs/…".
  beforeLoad: ({ location: { hash } }) => {
    const to = mlflowAddress(hash);
    switch (to?.kind) {
      case undefined:
        return;
      case "run":
        throw redirect({ to: "/runs/$run", params: { run: to.run }, replace: true });
      case "experiment":
        throw redirect({ to: "/runs", search: { experimentId: to.id }, replace: true });
      case "model":
        throw redirect({ to: "/models/$model", params: { model: to.name }, search: versionIn(to), replace: true });
    }
  },
});

const incident = createRoute({
  getParentRoute: () => root,
  path: "/incidents/$n",
  component: lazyRouteComponent(() => import("./incident/incident-page.tsx"), "IncidentPage"),
  errorComponent: BrokenPage,
});

const metrics = createRoute({
  getParentRoute: () => root,
  path: "/endpoints/$endpoint/metrics",
  component: lazyRouteComponent(() => import("./metrics/metrics-page.tsx"), "MetricsPage"),
  errorComponent: BrokenPage,
});

const datasets = createRoute({
  getParentRoute: () => root,
  path: "/data",
  component: lazyRouteComponent(() => import("./data/datasets-page.tsx"), "DatasetsPage"),
  errorComponent: BrokenPage,
});

/** What is compared and shown of a dataset is in the address: `?diff=13..14&by=education`. */
export interface DatasetSearch {
  readonly diff?: string;
  readonly by?: string;
}
const dataset = createRoute({
  getParentRoute: () => root,
  path: "/data/$dataset",
  validateSearch: ({ diff, by }: Record<string, unknown>): DatasetSearch => ({
    ...(typeof diff === "string" ? { diff } : {}),
    ...(typeof by === "string" ? { by } : {}),
  }),
  component: lazyRouteComponent(() => import("./data/dataset-page.tsx"), "DatasetPage"),
  errorComponent: BrokenPage,
});

/** Which runs are shown, and which of them side by side: `?experiment=loans&compare=a,b`. */
export interface RunsSearch {
  readonly experiment?: string;
  /** As MLflow numbers it. */
  readonly experimentId?: string;
  readonly compare?: string | undefined;
}
const runs = createRoute({
  getParentRoute: () => root,
  path: "/runs",
  validateSearch: ({ experiment, experimentId, compare }: Record<string, unknown>): RunsSearch => ({
    // A name or number may look like one to whoever parses the address.
    ...(isWord(experiment) ? { experiment: String(experiment) } : {}),
    ...(isWord(experimentId) ? { experimentId: String(experimentId) } : {}),
    ...(typeof compare === "string" ? { compare } : {}),
  }),
  component: lazyRouteComponent(() => import("./runs/runs-page.tsx"), "RunsPage"),
  errorComponent: BrokenPage,
});
const run = createRoute({
  getParentRoute: () => root,
  path: "/runs/$run",
  component: lazyRouteComponent(() => import("./runs/run-page.tsx"), "RunPage"),
  errorComponent: BrokenPage,
});

const models = createRoute({
  getParentRoute: () => root,
  path: "/models",
  component: lazyRouteComponent(() => import("./models/models-page.tsx"), "ModelsPage"),
  errorComponent: BrokenPage,
});
/** Whose card is shown; the newest version's when left out. */
export interface ModelSearch {
  readonly version?: string;
}
const model = createRoute({
  getParentRoute: () => root,
  path: "/models/$model",
  validateSearch: ({ version }: Record<string, unknown>): ModelSearch =>
    versionIn({ version: isWord(version) ? String(version) : undefined }),
  component: lazyRouteComponent(() => import("./models/model-page.tsx"), "ModelPage"),
  errorComponent: BrokenPage,
});

const lineage = createRoute({
  getParentRoute: () => root,
  path: "/lineage/$",
  component: lazyRouteComponent(() => import("./lineage/lineage-page.tsx"), "LineagePage"),
  errorComponent: BrokenPage,
});

const isWord = (value: unknown): value is string | number => typeof value === "string" || typeof value === "number";
const versionIn = ({ version }: { readonly version: string | undefined }): ModelSearch => (version === undefined ? {} : { version });

export const makeRouter = () =>
  createRouter({
    routeTree: root.addChildren([home, incident, metrics, datasets, dataset, runs, run, models, model, lineage]),
    scrollRestoration: true,
    defaultErrorComponent: BrokenPage,
    // A page that a link leads to can be opened while the server is away: its few KB come when the link is shown.
    defaultPreload: "render",
  });

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
