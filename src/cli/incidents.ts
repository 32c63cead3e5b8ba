import type { IncidentDetailView, IncidentHeadView } from "../api/index.ts";
import type { SaidState } from "../releases/index.ts";
import { evidence, milliseconds, moment, ratio } from "./format.ts";
import { styled, table, type Io } from "./io.ts";
import { UsageError, incidentNumber, verb } from "./verb.ts";

/** The state that each word brings an incident to. */
const MOVES = { review: "in_review", resolve: "resolved", close: "closed" } as const satisfies Record<string, SaidState>;
const isMove = (word: string): word is keyof typeof MOVES => Object.hasOwn(MOVES, word);

export const incidents = verb({
  name: "incidents",
  help: `show what guardrails or people have found

usage: evenkeel incidents [<n>] [--endpoint <name>]
       evenkeel incidents review|resolve|close <n> --reason <text>

review: it is looked into (again). resolve: the cause is known, people are put right. close: nothing more will happen; it stays closed.
Resolving or closing ends its alert, and whoever was told that it began is told that it ended.
Exits 3 while one is open, contained or in review.

examples:
  evenkeel incidents
  evenkeel incidents 1
  evenkeel incidents resolve 1 --reason "the new data lacked a region; all 40 cases are reviewed"`,
  words: 2,
  options: { endpoint: { type: "string" }, reason: { type: "string" } },
  async run({ positionals: [word, which], values }, { client, io }) {
    if (word && isMove(word)) {
      if (which === undefined) throw new UsageError("which incident?");
      if (values.reason === undefined) throw new UsageError('why? --reason "…"');
      const n = incidentNumber(which);
      const moved = await client().post<IncidentDetailView>(`/v1/incidents/${n}/state`, { to: MOVES[word], reason: values.reason });
      io.out(values.json ? JSON.stringify(moved) : `incident ${n} is ${moved.state.replaceAll("_", " ")}: ${moved.title}`);
      return 0;
    }
    if (which !== undefined) throw new UsageError(`"${which}" is too much`);
    if (values.reason !== undefined) throw new UsageError("a reason is for review, resolve and close");
    if (word) {
      const n = incidentNumber(word);
      const one = await client().get<IncidentDetailView>(`/v1/incidents/${n}`);
      io.out(values.json ? JSON.stringify(one) : detail(io, one));
      return isOpen(one) ? 3 : 0;
    }
    const { incidents: all } = await client().get<{ readonly incidents: readonly IncidentHeadView[] }>("/v1/incidents", {
      endpoint: values.endpoint,
    });
    if (values.json) io.out(JSON.stringify(all));
    else
      io.out(
        table(
          io,
          ["n", "endpoint", "state", "opened", "finding"],
          all.map((one) => [one.n, one.endpoint, one.state, moment(one.openedAt), one.title]),
          "no incident",
        ),
      );
    return all.some(isOpen) ? 3 : 0;
  },
});

const isOpen = ({ state }: IncidentHeadView) => state === "open" || state === "contained" || state === "in_review";

function detail(io: Io, one: IncidentDetailView): string {
  const { proof, rollback } = one;
  const lines = [
    styled(io, "bold", `${one.n}  ${one.title}`),
    `${one.endpoint}, ${one.state}, opened by ${one.openedBy} at ${moment(one.openedAt)}`,
  ];
  if (proof) {
    const rate = (k: number | null, n: number | null) =>
      k === null || n === null ? "(fewer than 10 on a side)" : `${k} of ${n} (${n === 0 ? "–" : ratio(k / n)})`;
    lines.push(
      `proof: ${proof.guardrail}, ${proof.group} ${rate(proof.groupFavourable, proof.groupDecisions)} against ${proof.reference} ${rate(proof.referenceFavourable, proof.referenceDecisions)}, limit ${ratio(proof.limit)}`,
      `       after ${proof.decisions.toLocaleString("en")} decisions the evidence is ${evidence(proof.evidence)}, needed ${evidence(proof.threshold)}`,
    );
  }
  if (rollback)
    lines.push(
      `rolled back from ${rollback.from} to ${rollback.to}${rollback.automatic ? " by itself" : ""}, ${milliseconds(rollback.switchedMs)} after the proof`,
    );
  if (one.notRolledBack) lines.push(styled(io, "yellow", `not rolled back: ${one.notRolledBack}`));
  const timeline = one.timeline.map((event) => [
    event.at.slice(11, 23),
    event.sinceProofMs === null ? "" : `+${milliseconds(event.sinceProofMs)}`,
    event.actor,
    event.text,
  ]);
  lines.push(
    "",
    table(io, ["time", "proof", "who", "what"], timeline),
    "",
    `why: evenkeel blame ${one.n}     who: evenkeel affected ${one.n}`,
    ...(one.next.includes("resolved") ? [`once people are put right: evenkeel incidents resolve ${one.n} --reason "…"`] : []),
  );
  return lines.join("\n");
}
