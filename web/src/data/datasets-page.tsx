import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { DatasetView } from "../../../src/api/dataset-view.ts";
import { count } from "../format.ts";
import { datasetsQuery } from "../queries.ts";
import { Command, CopyAsCommand } from "../ui/command.tsx";
import { Problem } from "../ui/notice.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import css from "./data.module.css";
import { When } from "./when.tsx";

/** All datasets, with what their newest version is. */
export function DatasetsPage() {
  const all = useQuery(datasetsQuery);
  return (
    <>
      <title>Data · Evenkeel</title>
      <div className={css.header}>
        <h1>Data</h1>
        <CopyAsCommand command="evenkeel data ls" />
      </div>
      {all.data ? (
        <Datasets datasets={all.data.datasets} />
      ) : all.isError ? (
        <Problem error={all.error} onRetry={() => void all.refetch()} />
      ) : (
        <Skeleton label="Loading the datasets" heights={[31, 31, 31]} />
      )}
    </>
  );
}

function Datasets({ datasets }: { datasets: readonly DatasetView[] }) {
  if (datasets.length === 0) {
    return (
      <>
        <p className={css.quiet}>Here go the tables that models are trained on. Add the first version of one:</p>
        <Command>evenkeel data add clients.csv --dataset clients --key id --label defaulted --protected sex</Command>
      </>
    );
  }
  return (
    <table className={css.table}>
      <thead>
        <tr>
          <th scope="col">Dataset</th>
          <th scope="col" className={css.number}>
            Versions
          </th>
          <th scope="col" className={css.number}>
            Rows
          </th>
          <th scope="col">Newest</th>
          <th scope="col">Tags</th>
        </tr>
      </thead>
      <tbody>
        {datasets.map(({ name, latest, tags }) => (
          <tr key={name}>
            <th scope="row">
              <Link to="/data/$dataset" params={{ dataset: name }}>
                {name}
              </Link>
            </th>
            <td className={css.number}>{count(latest.number)}</td>
            <td className={css.number}>{count(latest.rows)}</td>
            <td>
              <When iso={latest.createdAt} />
            </td>
            <td>
              {Object.entries(tags).map(([tag, number]) => (
                <span key={tag} className={css.tag}>
                  {tag} → {number}
                </span>
              ))}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
