import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import type { DatasetDetailView } from "../../../src/api/dataset-view.ts";
import { ApiError } from "../api.ts";
import { datasetDiffQuery, datasetQuery } from "../queries.ts";
import { NoSuchPage } from "../shell/lost.tsx";
import { CopyAsCommand } from "../ui/command.tsx";
import { Problem } from "../ui/notice.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { chosenWith, diffOf, diffText, type Chosen } from "./chosen.ts";
import css from "./data.module.css";
import { Diff } from "./diff.tsx";
import { Versions } from "./versions.tsx";

/** A dataset: its versions, and what differs between two of them. */
export function DatasetPage() {
  const { dataset: name } = useParams({ from: "/data/$dataset" });
  const dataset = useQuery(datasetQuery(name));
  if (dataset.data) return <Dataset dataset={dataset.data} />;
  if (!dataset.isError) return <Skeleton label={`Loading dataset ${name}`} heights={[28, 20, 120, 20, 240]} />;
  if (dataset.error instanceof ApiError && dataset.error.problem.status === 404) return <NoSuchPage />;
  return <Problem error={dataset.error} onRetry={() => void dataset.refetch()} />;
}

function Dataset({ dataset }: { dataset: DatasetDetailView }) {
  const { name, spec, versions } = dataset;
  const { diff, by } = useSearch({ from: "/data/$dataset" });
  const navigate = useNavigate({ from: "/data/$dataset" });
  const chosen = diffOf(
    diff,
    versions.map(({ number }) => number),
  );
  const choose = (number: number) =>
    void navigate({ search: (search) => ({ ...search, diff: diffText(chosenWith(chosen, number)) }), replace: true });
  return (
    <>
      <title>{`Data: ${name} · Evenkeel`}</title>
      <div className={css.header}>
        <div>
          <h1>{name}</h1>
          <p className={css.sub}>
            {spec.key ? (
              <>
                Key <code>{spec.key.join(", ")}</code>
              </>
            ) : (
              "No key"
            )}
            {spec.label && (
              <>
                , label <code>{spec.label.column}</code>
              </>
            )}
            . Protected: {spec.protected?.map(({ column, name: attribute }) => attribute ?? column).join(", ") || "nothing"}.
          </p>
        </div>
        <CopyAsCommand
          command={chosen.kind === "two" ? `evenkeel data diff ${name}/${chosen.a} ${name}/${chosen.b}` : `evenkeel data show ${name}`}
        />
      </div>
      <Versions dataset={dataset} chosen={chosen} onChoose={choose} />
      <Compared
        name={name}
        chosen={chosen}
        by={by}
        onBy={(next) => void navigate({ search: (search) => ({ ...search, by: next }), replace: true })}
      />
    </>
  );
}

function Compared({ name, chosen, by, onBy }: { name: string; chosen: Chosen; by: string | undefined; onBy: (by: string) => void }) {
  if (chosen.kind === "none") return <p className={css.hint}>There is one version. What differs shows here once there are two.</p>;
  if (chosen.kind === "one") return <p className={css.hint}>Choose a second version to compare with {chosen.a}.</p>;
  return <ComparedTwo name={name} a={chosen.a} b={chosen.b} by={by} onBy={onBy} />;
}

function ComparedTwo({ name, a, b, by, onBy }: { name: string; a: number; b: number; by: string | undefined; onBy: (by: string) => void }) {
  const diff = useQuery(datasetDiffQuery(name, a, b));
  if (diff.data) return <Diff name={name} diff={diff.data} by={by} onBy={onBy} />;
  if (diff.isError) return <Problem error={diff.error} onRetry={() => void diff.refetch()} />;
  return <Skeleton label={`Comparing versions ${a} and ${b}`} heights={[22, 34, 160, 240]} />;
}
