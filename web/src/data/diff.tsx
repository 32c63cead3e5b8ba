import { useQuery } from "@tanstack/react-query";
import type { DatasetDiffView } from "../../../src/api/dataset-diff-view.ts";
import { count, counted } from "../format.ts";
import { datasetQuery } from "../queries.ts";
import { buttonLook } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { ByColumn } from "./by-column.tsx";
import { ByGroup } from "./by-group.tsx";
import { ChangedCells } from "./changed-cells.tsx";
import css from "./data.module.css";

interface DiffProps {
  name: string;
  diff: DatasetDiffView;
  by: string | undefined;
  onBy: (by: string) => void;
}

/** The verdict first; then rows, groups and columns. */
export function Diff({ name, diff, by, onBy }: DiffProps) {
  const { from, to, verdict, rows, identity, cells } = diff;
  const words = useQuery(datasetQuery(name)).data?.spec.label?.words ?? {};
  const isDifferent = identity === "different";
  return (
    <section aria-labelledby="diff" className={css.diff}>
      <div className={css.diffHead}>
        <h2 id="diff">
          {from.number} → {to.number}
        </h2>
        {isDifferent && diff.groups && (
          <a
            className={buttonLook}
            href={`/v1/datasets/${encodeURIComponent(name)}/diff/rows?from=${from.number}&to=${to.number}`}
            download
          >
            <Icon name="download" />
            Rows
          </a>
        )}
      </div>
      <p className={css.verdict}>{verdict ?? plainVerdict(diff)}</p>
      {isDifferent && <RowsBar rows={rows} />}
      <Schema schema={diff.schema} />
      {rows.duplicates.keys > 0 && <Duplicates rows={rows} />}
      {cells.length > 0 && <ChangedCells cells={cells} />}
      {isDifferent && (
        <div className={css.halves}>
          {diff.groups ? (
            <ByGroup groups={diff.groups} words={words} by={by} onBy={onBy} />
          ) : (
            <p className={css.letters}>
              <Icon name="lock" />
              <span>
                Groups and rows are hidden. Ask for the right <b>protected:read</b> to see whom the difference concerns.
              </span>
            </p>
          )}
          <ByColumn diff={diff} />
        </div>
      )}
    </section>
  );
}

/** For those who may not read of groups. */
function plainVerdict({ identity, rows }: DatasetDiffView): string {
  if (identity !== "different") return `${identity.charAt(0).toUpperCase()}${identity.slice(1)}.`;
  return `${counted(rows.missing, "row is", "rows are")} missing, ${count(rows.changed)} changed and ${count(rows.added)} new.`;
}

/** How much was removed, stayed and was added: as wide as there are rows. */
function RowsBar({ rows }: { rows: DatasetDiffView["rows"] }) {
  const { missing, changed, unchanged, added } = rows;
  const parts = [
    { key: "missing", rows: missing, text: `${count(missing)} missing`, look: css.missing },
    { key: "changed", rows: changed, text: `${count(changed)} changed`, look: css.changed },
    { key: "unchanged", rows: unchanged, text: `${count(unchanged)} unchanged`, look: css.unchanged },
    { key: "added", rows: added, text: `${count(added)} new`, look: css.added },
  ].filter((part) => part.rows > 0);
  const all = Math.max(1, missing + changed + unchanged + added);
  let at = 0;
  return (
    <figure className={css.rows}>
      <figcaption>
        {parts.map((part) => (
          <span key={part.key} className={part.look}>
            <i aria-hidden="true" />
            {part.text}
          </span>
        ))}
        <span className={css.quiet}>
          {rows.key
            ? `compared by ${rows.key.columns.join(", ")}${rows.key.source === "proposed" ? ", as proposed" : ""}`
            : "compared by content"}
        </span>
      </figcaption>
      <svg width="100%" height="14" aria-hidden="true">
        {parts.map((part) => {
          const x = (at / all) * 100;
          at += part.rows;
          return <rect key={part.key} className={part.look} x={`${x}%`} width={`${(part.rows / all) * 100}%`} height="14" />;
        })}
      </svg>
    </figure>
  );
}

function Schema({ schema }: { schema: DatasetDiffView["schema"] }) {
  const said = [
    ...schema.added.map(({ name, type }) => ({ name, text: `new, ${type}` })),
    ...schema.removed.map(({ name, type }) => ({ name, text: `gone, was ${type}` })),
    ...schema.renamed.map(({ from, to }) => ({ name: from, text: `now called ${to}` })),
    ...schema.retyped.map(({ name, from, to }) => ({ name, text: `${from} → ${to}` })),
    ...schema.emptied.map(({ name, before, after }) => ({ name, text: `empty cells: ${count(before)} → ${count(after)}` })),
  ];
  if (said.length === 0) return null;
  return (
    <div>
      <h3>Columns</h3>
      <ul className={css.schema}>
        {said.map(({ name, text }) => (
          <li key={`${name} ${text}`}>
            <code>{name}</code> {text}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Duplicates({ rows: { key, duplicates } }: { rows: DatasetDiffView["rows"] }) {
  return (
    <details>
      <summary>{counted(duplicates.keys, "key names", "keys name")} more than one row</summary>
      <ul className={css.schema}>
        {duplicates.listed.map(({ key: cells, before, after }) => (
          <li key={JSON.stringify(cells)}>
            <code>{cells.map((cell, i) => `${key?.columns[i] ?? ""} ${cell ?? "empty"}`).join(", ")}</code> {count(before)} →{" "}
            {counted(after, "row", "rows")}
          </li>
        ))}
      </ul>
    </details>
  );
}
