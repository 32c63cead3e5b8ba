import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import type { EndpointMetricsView } from "../../../src/api/endpoint-metrics-view.ts";
import { ApiError } from "../api.ts";
import { count, decimals, rate } from "../format.ts";
import { endpointMetricsQuery } from "../queries.ts";
import { NoSuchPage } from "../shell/lost.tsx";
import { CopyAsCommand } from "../ui/command.tsx";
import { Problem } from "../ui/notice.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { Calibration } from "./calibration.tsx";
import { Groups } from "./groups.tsx";
import { Inputs } from "./inputs.tsx";
import { Moved, Writers } from "./moved.tsx";
import css from "./metrics.module.css";
import type { Answer } from "./words.ts";

/** How the live release of an endpoint treats groups, what its scores promise, and what comes in. */
export function MetricsPage() {
  const { endpoint } = useParams({ from: "/endpoints/$endpoint/metrics" });
  const metrics = useQuery(endpointMetricsQuery(endpoint));
  if (metrics.data) return <Metrics view={metrics.data} />;
  if (!metrics.isError) return <Skeleton label={`Loading metrics of ${endpoint}`} heights={[28, 48, 120, 160, 240]} />;
  if (metrics.error instanceof ApiError && metrics.error.problem.status === 404) return <NoSuchPage />;
  return <Problem error={metrics.error} onRetry={() => void metrics.refetch()} />;
}

function Metrics({ view }: { view: EndpointMetricsView }) {
  const { endpoint, release, arm, window, answers, minimum, notices } = view;
  const sets = Map.groupBy(
    answers.filter(({ drift_of: of, group, attributes }) => of === undefined && setOf(group, attributes) !== ""),
    ({ group, attributes }) => setOf(group, attributes),
  );
  const against = { training: view.trainedOn ?? "the training data", launch: "the release's first week", previous: "a week before" }[
    view.against
  ];
  return (
    <>
      <title>{`Metrics: ${endpoint} · Evenkeel`}</title>
      <div className={css.header}>
        <div>
          <h1>{endpoint}</h1>
          <p className={css.sub}>
            {release} as {arm},{" "}
            {window.from === null ? "all that was counted" : `${window.from.slice(0, 10)} up to ${window.to.slice(0, 10)}`}. For looking:
            what watches all the time are guardrails.
          </p>
        </div>
        <CopyAsCommand command={`evenkeel metrics ${endpoint}`} />
      </div>
      <Facts answers={answers} />
      {[...sets].map(([set, of]) => (
        <Groups key={set} title={set.replaceAll("/", " and ")} answers={of} minimum={minimum} />
      ))}
      {notices.map((notice) => (
        <p key={notice} className={css.note}>
          {notice}
        </p>
      ))}
      <Calibration answers={answers} minimum={minimum} />
      <Moved answers={answers} minimum={minimum} trainedOn={view.trainedOn} />
      <Writers answers={answers} trainedOn={view.trainedOn} />
      <Inputs answers={answers} minimum={minimum} against={against} />
      <p className={css.note}>
        Equal chances for those who turn out well, equal errors and equal meaning of a favourable answer can't all hold when groups differ
        in how often they turn out well: don't expect all of these to be equal at once.
      </p>
    </>
  );
}

const setOf = (group: Answer["group"], attributes: Answer["attributes"]): string =>
  Object.keys(group ?? {}).join("/") || (attributes ?? []).join("/");

function Facts({ answers }: { answers: readonly Answer[] }) {
  const value = (metric: string) => answers.find((one) => one.metric === metric)?.value ?? null;
  const latency = answers.find(({ metric }) => metric === "latency_seconds");
  const ms = (part: string) => {
    const seconds = latency?.parts?.[part]?.value ?? null;
    return seconds === null ? "–" : `${decimals(seconds * 1000, 1)} ms`;
  };
  const share = (metric: string) => {
    const of = value(metric);
    return of === null ? "–" : rate(of);
  };
  const facts = [
    ["decisions", count(value("decision_count") ?? 0)],
    ["without an answer", share("error_rate")],
    ["by another release", share("fallback_rate")],
    ["median latency", ms("p50")],
    ["95th percentile", ms("p95")],
    ["99th percentile", ms("p99")],
  ];
  return (
    <dl className={css.facts}>
      {facts.map(([name, said]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{said}</dd>
        </div>
      ))}
    </dl>
  );
}
