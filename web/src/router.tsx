import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { HomePage } from "./home/home-page.tsx";
import { Shell } from "./shell/shell.tsx";
import { BrokenPage, NoSuchPage } from "./shell/lost.tsx";

const root = createRootRoute({ component: Shell, notFoundComponent: NoSuchPage, errorComponent: BrokenPage });

const home = createRoute({ getParentRoute: () => root, path: "/", component: HomePage });

const incident = createRoute({
  getParentRoute: () => root,
  path: "/incidents/$n",
  component: lazyRouteComponent(() => import("./incident/incident-page.tsx"), "IncidentPage"),
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

export const makeRouter = () =>
  createRouter({
    routeTree: root.addChildren([home, incident, datasets, dataset]),
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
