/** What the pages ask for. Server state lives in the query cache and nowhere else. */
import { infiniteQueryOptions, QueryClient, queryOptions } from "@tanstack/react-query";
import type { DatasetDiffView } from "../../src/api/dataset-diff-view.ts";
import type { DecidedWithView, DecisionTraceView } from "../../src/api/decision-lineage-routes.ts";
import type { EndpointMetricsView } from "../../src/api/endpoint-metrics-view.ts";
import type { LineageView } from "../../src/api/lineage-routes.ts";
import type { ModelCardView } from "../../src/api/model-card-view.ts";
import type { ModelDetailView, ModelView } from "../../src/api/model-routes.ts";
import type { RunComparisonView, RunDetailView, RunPageView } from "../../src/api/run-routes.ts";
import type { DatasetDetailView, DatasetView } from "../../src/api/dataset-view.ts";
import type { AffectedPage, HomeView, IncidentView } from "../../src/api/ui-view.ts";
import { ApiError, get } from "./api.ts";

const RETRIES = 2;

export const makeQueryClient = () =>
  new QueryClient({
    defaultOptions: {
      queries: {
        // What is refused stays refused; what didn't answer may do so in a moment.
        retry: (failures, error) =>
          failures < RETRIES && error instanceof ApiError && (error.problem.status === 0 || error.problem.status >= 500),
        retryDelay: 500,
        // Being live is the feed's business (live-feed.ts).
        refetchOnWindowFocus: false,
        refetchOnReconnect: false,
        staleTime: Infinity,
        networkMode: "always",
      },
    },
  });

export const homeQuery = queryOptions({ queryKey: ["home"], queryFn: ({ signal }) => get<HomeView>("/v1/ui/home", signal) });

const INCIDENT_PERIOD_MS = 5000;

export const incidentQuery = (n: number) =>
  queryOptions({
    queryKey: ["incident", n],
    queryFn: ({ signal }) => get<IncidentView>(`/v1/ui/incidents/${n}`, signal),
    staleTime: INCIDENT_PERIOD_MS,
    refetchInterval: ({ state }) => (state.status === "error" && state.data === undefined ? false : INCIDENT_PERIOD_MS),
  });

export const affectedQuery = (n: number) =>
  infiniteQueryOptions({
    queryKey: ["incident", n, "affected"],
    queryFn: ({ pageParam, signal }) =>
      get<AffectedPage>(`/v1/ui/incidents/${n}/affected${pageParam === null ? "" : `?cursor=${encodeURIComponent(pageParam)}`}`, signal),
    initialPageParam: asCursor(null),
    getNextPageParam: ({ nextCursor }) => nextCursor,
  });

const METRICS_PERIOD_MS = 10_000;

export const endpointMetricsQuery = (endpoint: string) =>
  queryOptions({
    queryKey: ["metrics", endpoint],
    queryFn: ({ signal }) => get<EndpointMetricsView>(`/v1/endpoints/${encodeURIComponent(endpoint)}/metrics`, signal),
    staleTime: METRICS_PERIOD_MS,
    refetchInterval: ({ state }) => (state.status === "error" && state.data === undefined ? false : METRICS_PERIOD_MS),
  });

export const datasetsQuery = queryOptions({
  queryKey: ["datasets"],
  queryFn: ({ signal }) => get<{ readonly datasets: readonly DatasetView[] }>("/v1/datasets", signal),
  staleTime: 0,
});

export const datasetQuery = (name: string) =>
  queryOptions({
    queryKey: ["datasets", name],
    queryFn: ({ signal }) => get<DatasetDetailView>(`/v1/datasets/${encodeURIComponent(name)}`, signal),
    staleTime: 0,
  });

/** Large tables take minutes to compare. */
const DIFF_MS = 600_000;

/** Versions never change, so neither does what differs between two. */
export const datasetDiffQuery = (name: string, from: number, to: number) =>
  queryOptions({
    queryKey: ["datasets", name, "diff", from, to],
    queryFn: ({ signal }) => get<DatasetDiffView>(`/v1/datasets/${encodeURIComponent(name)}/diff?from=${from}&to=${to}`, signal, DIFF_MS),
  });

export const runsQuery = (experiment: string | undefined) =>
  infiniteQueryOptions({
    queryKey: ["runs", experiment ?? null],
    queryFn: ({ pageParam, signal }) => {
      const query = new URLSearchParams({
        limit: "100",
        ...(experiment === undefined ? {} : { experiment }),
        ...(pageParam === null ? {} : { before: pageParam }),
      });
      return get<RunPageView>(`/v1/runs?${query.toString()}`, signal);
    },
    initialPageParam: asCursor(null),
    getNextPageParam: ({ next }) => next,
    staleTime: 0,
  });

export const runQuery = (run: string) =>
  queryOptions({
    queryKey: ["run", run],
    queryFn: ({ signal }) => get<RunDetailView>(`/v1/runs/${run}`, signal),
    staleTime: 0,
  });

export const comparisonQuery = (runs: readonly string[]) =>
  queryOptions({
    queryKey: ["run-comparison", ...runs],
    queryFn: ({ signal }) => get<RunComparisonView>(`/v1/run-comparison?runs=${runs.join(",")}`, signal),
    staleTime: 0,
  });

/** What an MLflow client said that a run read: only MLflow's own protocol has it. */
export const loggedDataQuery = (run: string) =>
  queryOptions({
    queryKey: ["run", run, "logged-data"],
    queryFn: async ({ signal }) => {
      const { run: found } = await get<MlflowRun>(`/api/2.0/mlflow/runs/get?run_id=${run.replaceAll("-", "")}`, signal);
      return (found.inputs?.dataset_inputs ?? []).map(({ dataset, tags = [] }) => ({
        name: dataset.name,
        digest: dataset.digest,
        context: tags.find(({ key }) => key === "mlflow.data.context")?.value ?? null,
      }));
    },
  });
interface MlflowRun {
  readonly run: {
    readonly inputs?: {
      readonly dataset_inputs?: readonly {
        readonly dataset: { readonly name: string; readonly digest: string };
        readonly tags?: readonly { readonly key: string; readonly value: string }[];
      }[];
    };
  };
}

/** The name of an experiment that MLflow's clients know by its number. */
export const experimentQuery = (id: string) =>
  queryOptions({
    queryKey: ["mlflow-experiment", id],
    queryFn: async ({ signal }) =>
      (
        await get<{ readonly experiment: { readonly name: string } }>(
          `/api/2.0/mlflow/experiments/get?experiment_id=${encodeURIComponent(id)}`,
          signal,
        )
      ).experiment.name,
  });

export const modelsQuery = queryOptions({
  queryKey: ["models"],
  queryFn: ({ signal }) => get<{ readonly models: readonly ModelView[] }>("/v1/models", signal),
  staleTime: 0,
});

export const modelQuery = (name: string) =>
  queryOptions({
    queryKey: ["models", name],
    queryFn: ({ signal }) => get<ModelDetailView>(`/v1/models/${encodeURIComponent(name)}`, signal),
    staleTime: 0,
  });

export const modelCardQuery = (reference: string) =>
  queryOptions({
    queryKey: ["model-card", reference],
    queryFn: ({ signal }) => get<ModelCardView>(`/v1/model-card?reference=${encodeURIComponent(reference)}`, signal),
    staleTime: 0,
  });

const nodeText = (kind: string, id: string) => new URLSearchParams({ kind, id }).toString();

export const lineageQuery = (kind: string, id: string, direction: "upstream" | "downstream") =>
  queryOptions({
    queryKey: ["lineage", kind, id, direction],
    queryFn: ({ signal }) => get<LineageView>(`/v1/lineage?${nodeText(kind, id)}&direction=${direction}`, signal),
    staleTime: 0,
  });

export const decidedWithQuery = (kind: string, id: string) =>
  queryOptions({
    queryKey: ["decided-with", kind, id],
    queryFn: ({ signal }) => get<DecidedWithView>(`/v1/lineage/decided-with?${nodeText(kind, id)}`, signal),
    staleTime: 0,
  });

export const decisionTraceQuery = (id: string) =>
  queryOptions({
    queryKey: ["decision-lineage", id],
    queryFn: ({ signal }) => get<DecisionTraceView>(`/v1/lineage/decisions/${encodeURIComponent(id)}`, signal),
  });

/** Says that the first cursor, null, is of the same type as those that follow. */
function asCursor(cursor: string | null): string | null {
  return cursor;
}
