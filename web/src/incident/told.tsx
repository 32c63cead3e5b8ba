import type { IncidentView, ToldView } from "../../../src/api/ui-view.ts";
import type { Times } from "../format.ts";
import { StateWord } from "../ui/said.tsx";
import { Time } from "../ui/time.tsx";
import { capital, newsSaid, toldSaid } from "../words.ts";
import css from "./incident.module.css";
import { Wide } from "./part.tsx";

/** Who was told of the incident, when and by which channel. */
export function Told({ view: { told }, times }: { view: IncidentView; times: Times }) {
  if (told.length === 0) return <p className={css.quiet}>Nobody was told by a channel.</p>;
  return (
    <Wide label="Who was told">
      <table className={css.table}>
        <thead>
          <tr>
            <th scope="col">Channel</th>
            <th scope="col">What</th>
            <th scope="col">When</th>
            <th scope="col">State</th>
          </tr>
        </thead>
        <tbody>
          {told.map((one, i) => (
            <Line key={i} one={one} times={times} />
          ))}
        </tbody>
      </table>
    </Wide>
  );
}

function Line({ one, times }: { one: ToldView; times: Times }) {
  return (
    <tr>
      <th scope="row">
        <code>{one.channel}</code>
      </th>
      <td>{capital(newsSaid(one.news))}</td>
      <td>
        <Time ms={one.atMs}>{times.moment(one.atMs)}</Time>
      </td>
      <td>
        <StateWord said={toldSaid(one)} />
      </td>
    </tr>
  );
}
