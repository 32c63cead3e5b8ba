import { count } from "../format.ts";
import css from "./incident.module.css";
import own from "./who.module.css";

/** What one release said against what the other says. Blue: better for the person under the other; amber: worse. */
export function Flips({
  actions,
  flips,
  release,
  other,
}: {
  actions: readonly string[];
  flips: readonly (readonly number[])[];
  release: string;
  other: string;
}) {
  return (
    <table className={own.flips}>
      <caption>
        {release} said (rows), {other} says (columns)
      </caption>
      <thead>
        <tr>
          <th scope="col">
            <span className={css.hidden}>{release}</span>
          </th>
          {actions.map((action) => (
            <th key={action} scope="col">
              {action}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {actions.map((before, i) => (
          <tr key={before}>
            <th scope="row">{before}</th>
            {actions.map((after, j) => (
              <td key={after} className={j < i ? own.better : j > i ? own.worse : ""}>
                {count(flips[i]?.[j] ?? 0)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
