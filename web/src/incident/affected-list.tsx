import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { AffectedPersonView } from "../../../src/api/ui-view.ts";
import { score, type Times } from "../format.ts";
import { affectedQuery } from "../queries.ts";
import { Button } from "../ui/button.tsx";
import { Problem } from "../ui/notice.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { Time } from "../ui/time.tsx";
import css from "./incident.module.css";
import { Wide } from "./part.tsx";
import own from "./who.module.css";

interface AffectedListProps {
  n: number;
  release: string;
  other: string;
  times: Times;
}

/** Each person with what both releases said; to read, once asked for. Nothing is decided here. */
export function AffectedList(props: AffectedListProps) {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <details className={own.list} onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary>Everybody whose answer changes</summary>
      {isOpen && <People {...props} />}
    </details>
  );
}

function People({ n, release, other, times }: AffectedListProps) {
  const pages = useInfiniteQuery(affectedQuery(n));
  const people = (pages.data?.pages ?? []).flatMap((page) => page.people);
  return (
    <div className={own.people}>
      {pages.data && people.length === 0 && <p className={css.quiet}>Nobody: {other} says the same to all of them.</p>}
      {people.length > 0 && (
        <Wide label="Affected people">
          <table className={css.table}>
            <thead>
              <tr>
                <th scope="col">Decision</th>
                <th scope="col">When</th>
                <th scope="col">Groups</th>
                <th scope="col">{release} said</th>
                <th scope="col">{other} says</th>
                <th scope="col">For the person</th>
              </tr>
            </thead>
            <tbody>
              {people.map((person) => (
                <Person key={person.decision} person={person} times={times} />
              ))}
            </tbody>
          </table>
        </Wide>
      )}
      {pages.isPending && <Skeleton label="Loading the affected people" heights={[31, 31, 31]} />}
      {pages.isError && <Problem error={pages.error} onRetry={() => void (pages.data ? pages.fetchNextPage() : pages.refetch())} />}
      {pages.hasNextPage && (
        <p className={own.more}>
          <Button onClick={() => void pages.fetchNextPage()} disabled={pages.isFetchingNextPage}>
            Show 50 more
          </Button>
        </p>
      )}
    </div>
  );
}

function Person({ person, times }: { person: AffectedPersonView; times: Times }) {
  const { decision, decidedMs, groups, before, after, note } = person;
  const isBetter = person.class === "harmed" || person.class === "worse_terms";
  return (
    <tr>
      <th scope="row">
        <code title={decision}>{shortId(decision)}</code>
      </th>
      <td>
        <Time ms={decidedMs}>{times.moment(decidedMs)}</Time>
      </td>
      <td>{groups.join(", ")}</td>
      <td>
        <Answer answer={before} />
      </td>
      <td>{after ? <Answer answer={after} /> : "no answer"}</td>
      <td>
        <span className={isBetter ? own.better : css.quiet}>{words[person.class]}</span>
        {note && <span className={own.score}>{note}</span>}
      </td>
    </tr>
  );
}

function Answer({ answer: { action, score: value } }: { answer: AffectedPersonView["before"] }) {
  return (
    <>
      {action}
      {value !== null && <span className={own.score}>{score(value)}</span>}
    </>
  );
}

const words = {
  harmed: "better",
  worse_terms: "better",
  reason_changed: "other reasons",
  benefited: "worse",
  not_replayable: "not known",
} as const satisfies Record<AffectedPersonView["class"], string>;

/** First and last four; the whole is in the title. Ids are time-sorted: the last digits tell them apart. */
const shortId = (id: string): string => (id.length > 12 ? `${id.slice(0, 4)}…${id.slice(-4)}` : id);
