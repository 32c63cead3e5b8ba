/** What the pages ask for. Server state lives in the query cache and nowhere else. */
import { infiniteQueryOptions, QueryClient, queryOptions } from "@tanstack/react-query";
import type { DatasetDiffView } from "../../src/api/dataset-diff-view.ts";
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

/** Says that the first cursor, null, is of the same type as those that follow. */
function asCursor(cursor: string | null): string | null {
  return cursor;
}
