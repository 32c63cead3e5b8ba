import type { ReactNode } from "react";
import css from "./runs.module.css";

export interface Pair {
  readonly name: string;
  readonly value: ReactNode;
}

/** Names and what they are, with a heading; a sentence where there are none. */
export function Pairs({ id, title, none, pairs }: { id: string; title: string; none: string; pairs: readonly Pair[] }) {
  return (
    <section className={css.part} aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {pairs.length === 0 ? (
        <p className={css.none}>{none}</p>
      ) : (
        <dl className={css.pairs}>
          {pairs.map(({ name, value }, i) => (
            // Two may have one name, and none moves.
            <div key={i}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}
