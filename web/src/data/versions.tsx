import { Link } from "@tanstack/react-router";
import type { DatasetDetailView } from "../../../src/api/dataset-view.ts";
import { count } from "../format.ts";
import { Wide } from "../incident/part.tsx";
import type { Chosen } from "./chosen.ts";
import css from "./data.module.css";
import { When } from "./when.tsx";

/** Newest first; two are chosen to be compared. */
export function Versions({
  dataset: { name, versions },
  chosen,
  onChoose,
}: {
  dataset: DatasetDetailView;
  chosen: Chosen;
  onChoose: (number: number) => void;
}) {
  return (
    <Wide label={`Versions of ${name}`}>
      <table className={css.table}>
        <thead>
          <tr>
            <th scope="col">
              <span className={css.hidden}>Compare</span>
            </th>
            <th scope="col">Version</th>
            <th scope="col">Tags</th>
            <th scope="col" className={css.number}>
              Rows
            </th>
            <th scope="col" className={css.number}>
              Size
            </th>
            <th scope="col">Made</th>
            <th scope="col">Id</th>
          </tr>
        </thead>
        <tbody>
          {versions.map((version) => {
            const letter = letterOf(chosen, version.number);
            return (
              <tr key={version.number} className={letter ? css.chosen : undefined}>
                <td className={css.boxCell}>
                  <label className={css.box}>
                    <input
                      type="checkbox"
                      checked={letter !== ""}
                      onChange={() => onChoose(version.number)}
                      aria-label={`Compare version ${version.number}`}
                    />
                    <span aria-hidden="true">{letter}</span>
                  </label>
                </td>
                <th scope="row">{version.number}</th>
                <td>
                  {version.tags.map((tag) => (
                    <span key={tag} className={css.tag}>
                      {tag}
                    </span>
                  ))}
                </td>
                <td className={css.number}>{count(version.rows)}</td>
                <td className={css.number}>{size(version.bytes)}</td>
                <td>
                  <When iso={version.createdAt} /> <span className={css.quiet}>{version.createdBy}</span>
                </td>
                <td>
                  <Link
                    to="/lineage/$"
                    params={{ _splat: `dataset/${name}/${version.number}` }}
                    title={version.id}
                    aria-label={`Lineage of version ${version.number}`}
                  >
                    <code>
                      {version.id.slice(0, 8)}…{version.id.slice(-4)}
                    </code>
                  </Link>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Wide>
  );
}

function letterOf(chosen: Chosen, number: number): "A" | "B" | "" {
  if (chosen.kind === "none") return "";
  if (chosen.a === number) return "A";
  return chosen.kind === "two" && chosen.b === number ? "B" : "";
}

/** `34.5 MB` */
export function size(bytes: number): string {
  const [unit, of] = bytes >= 1e9 ? [1e9, "GB"] : bytes >= 1e6 ? [1e6, "MB"] : [1e3, "KB"];
  return `${(bytes / unit).toFixed(1)} ${of}`;
}
