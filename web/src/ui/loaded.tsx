import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { ApiError } from "../api.ts";
import { NoSuchPage } from "../shell/lost.tsx";
import { Problem } from "./notice.tsx";
import { Skeleton } from "./skeleton.tsx";

/** What a page shows of one answer: it, that it comes, that there is none, or why it doesn't come. */
export function Loaded<View>({
  query,
  label,
  children,
}: {
  query: UseQueryResult<View>;
  label: string;
  children: (view: View) => ReactNode;
}) {
  if (query.data !== undefined) return children(query.data);
  if (!query.isError) return <Skeleton label={`Loading ${label}`} heights={[28, 20, 120, 20, 160]} />;
  if (query.error instanceof ApiError && query.error.problem.status === 404) return <NoSuchPage />;
  return <Problem error={query.error} onRetry={() => void query.refetch()} />;
}
