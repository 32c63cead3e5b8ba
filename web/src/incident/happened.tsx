import type { HappeningView, IncidentView } from "../../../src/api/ui-view.ts";
import { counted, distance, duration, evidenceOf, iso, type Times } from "../format.ts";
import { Icon, type IconName } from "../ui/icon.tsx";
import { failedSentence, valueOf } from "../words.ts";
import css from "./happened.module.css";
import shared from "./incident.module.css";

/** Three sentences, then every moment. */
export function Happened({ view, times }: { view: IncidentView; times: Times }) {
  return (
    <>
      <p className={shared.lead}>
        {whatWasFound(view, times)} <Undone view={view} />
      </p>
      <Timeline happenings={view.happenings} times={times} />
    </>
  );
}

function whatWasFound({ release, served, evidence, reason, openedBy }: IncidentView, times: Times): string {
  const span =
    served.toMs === null ? `since ${times.moment(served.fromMs)}` : `${times.moment(served.fromMs)} to ${times.moment(served.toMs)}`;
  const answered = `While ${release} answered (${span}, ${counted(served.decisions, "decision", "decisions")}), `;
  if (!evidence) return `${answered}${openedBy} found: ${reason}.`;
  const { harmed, reference, estimate, limit, unit, metric } = evidence;
  if (unit === "ratio" && reference && estimate !== null) {
    return `${answered}people in the group “${harmed.group}” were approved ${valueOf(unit, estimate, limit)} times as often as ${reference.group === null ? "everybody else" : `those in “${reference.group}”`}; the limit is ${valueOf(unit, limit)}.`;
  }
  const value = estimate === null ? "could not be computed" : `was ${valueOf(unit, estimate, limit)}`;
  return `${answered}the ${metric} of “${harmed.group}” ${value}; the limit is ${valueOf(unit, limit)}, evidence ${evidenceOf(evidence.evidence, evidence.threshold)}.`;
}

function Undone({ view: { rollback, restored, notRolledBack, release } }: { view: IncidentView }) {
  if (!rollback || !restored)
    return <>{notRolledBack ? `Nothing was put back: ${notRolledBack}.` : `Nothing was put back for ${release}.`}</>;
  const failed = rollback.failedRequests;
  return (
    <>
      {rollback.automatic ? "Evenkeel" : "A person"} put {restored} back; every new request met it <b>{duration(rollback.switchedUs)}</b>{" "}
      after {rollback.automatic ? "the proof" : "the command"}. {failed !== null && <b>{failedSentence(failed)}</b>}
    </>
  );
}

const icons = {
  live: "live",
  canary: "canary",
  shadow: "shadow",
  breach: "octagon",
  check: "tick",
  record: "record",
  rollback: "back",
  search: "search",
  person: "person",
} as const satisfies Record<HappeningView["mark"], IconName>;

function Timeline({ happenings, times }: { happenings: readonly HappeningView[]; times: Times }) {
  const days = new Set(happenings.map(({ happenedMs }) => iso(happenedMs).slice(0, 10)));
  return (
    <ol className={css.line}>
      {happenings.map(({ happenedMs, sinceProofUs, mark, text, detail }, i) => {
        const isTurn = mark === "breach" || mark === "rollback";
        return (
          <li key={i}>
            <time className={css.time} dateTime={iso(happenedMs)} title={iso(happenedMs)}>
              {days.size > 1 && !times.moment(happenedMs).includes(":") ? times.moment(happenedMs) : times.millis(happenedMs)}
            </time>
            <span className={css.distance}>{sinceProofUs !== null && distance(sinceProofUs)}</span>
            <span className={`${css.mark} ${isTurn ? css.turn : ""}`}>
              <Icon name={icons[mark]} />
            </span>
            <span className={css.text}>
              <b className={isTurn ? css.turnText : css.plainText}>{text}</b>
              {detail && <span>{detail}</span>}
            </span>
          </li>
        );
      })}
    </ol>
  );
}
