import type { AbView, SwitchView } from "../api/index.ts";
import { evidence, moment, percent } from "./format.ts";
import { styled, table, type Io } from "./io.ts";
import { UsageError, verb } from "./verb.ts";

const pathOf = (endpoint: string, rest = "") => `/v1/endpoints/${encodeURIComponent(endpoint)}/ab${rest}`;

export const ab = verb({
  name: "ab",
  help: `compare live with other releases at fixed shares

usage: evenkeel ab <endpoint>                                        the A/B test under way, or the last one, with its arms compared
       evenkeel ab start <endpoint> <r12[=weight]>… [--answers <count>] [--for <7d>] --reason <text>
       evenkeel ab end <endpoint> --reason <text>

Live is one of the arms, and the weights are 1 where none is said. Everybody always gets the same arm. It ends by itself after so many
answers or so long, when an arm is condemned or live is rolled back, and with a promotion of one of its arms, which only a person makes.

examples:
  evenkeel ab start loans r2 r3 --answers 2000 --reason "which of the two"
  evenkeel ab start loans r2=3 r3=1 --for 7d --reason "carefully"
  evenkeel ab loans`,
  words: 6,
  options: { answers: { type: "string" }, for: { type: "string" }, reason: { type: "string" } },
  async run({ positionals: [first, second, ...releases], values }, { client, io }) {
    if (!first) throw new UsageError("which endpoint?");
    if (first !== "start" && first !== "end") {
      if (second) throw new UsageError(`an A/B test can start and end; "${first}" is neither`);
      const { ab: found } = await client().get<{ readonly ab: AbView | null }>(pathOf(first));
      if (values.json) io.out(JSON.stringify({ ab: found }));
      else io.out(found ? abText(io, found) : `no A/B test of ${first} was ever started`);
      return found?.sampleRatio.isMismatch ? 1 : 0;
    }
    if (!second || !values.reason) throw new UsageError(`${first} needs an endpoint and --reason`);
    if (first === "end" && releases.length > 0) throw new UsageError(`"${releases.join(" ")}" is too much`);
    const answers = values.answers === undefined ? undefined : Number(values.answers);
    if (answers !== undefined && !(Number.isInteger(answers) && answers > 0))
      throw new UsageError(`--answers takes a whole number, not "${values.answers}"`);
    const done =
      first === "end"
        ? await client().post<SwitchView>(pathOf(second, "/end"), { reason: values.reason })
        : await client().post<SwitchView>(pathOf(second), {
            arms: releases.map(armOf),
            ...(answers === undefined ? {} : { answers }),
            ...(values.for === undefined ? {} : { for: values.for }),
            reason: values.reason,
          });
    if (values.json) io.out(JSON.stringify(done));
    else {
      const arms = done.route.ab?.arms.map(({ release, share }) => `${release} ${percent(share)}`).join(", ");
      io.out(`${arms ?? `${styled(io, "bold", done.route.live)} live`}, generation ${done.route.generation}`);
      io.note(`undo: ${done.undo}`);
    }
    return 0;
  },
});

function armOf(text: string): { readonly release: string; readonly weight: number } {
  const [, release, weight = "1"] = /^([^=]+)(?:=(\d{1,4}))?$/.exec(text) ?? [];
  if (release === undefined) throw new UsageError(`an arm is a release and its weight, r3=2, not "${text}"`);
  return { release, weight: Number(weight) };
}

export function abText(io: Io, { since, startedBy, endsAfterAnswers, endsAt, ended, arms, sampleRatio }: AbView): string {
  const until = [
    ...(endsAfterAnswers === null ? [] : [`after ${endsAfterAnswers.toLocaleString("en")} answers`]),
    ...(endsAt === null ? [] : [`at ${moment(endsAt)}`]),
  ];
  const ends = ended
    ? `ended ${moment(ended.at)} (${ended.how}) by ${ended.by}: ${ended.reason}`
    : `ends ${until.join(", or ") || "when somebody ends it"}`;
  const row = (name: string | null, group: string, one: AbView["arms"][number] | AbView["arms"][number]["groups"][number]) => [
    name,
    group,
    "asked" in one ? percent(one.asked) : null,
    "observed" in one && one.observed !== null ? percent(one.observed) : null,
    one.answers,
    one.rate === null ? null : percent(one.rate),
    one.interval && `${percent(one.interval.low)} to ${percent(one.interval.high)}`,
  ];
  const mismatch = `evidence ${evidence(sampleRatio.evidence)} of ${evidence(sampleRatio.threshold)}`;
  return [
    `A/B test since ${moment(since)}, started by ${startedBy}; ${ends}`,
    table(
      io,
      ["arm", "group", "asked", "observed", "answers", "favourable", "95 %"],
      arms.flatMap((arm) => [
        row(styled(io, "bold", arm.release), "everybody", arm),
        ...arm.groups.map((group) => row(null, group.group, group)),
      ]),
    ),
    sampleRatio.isMismatch
      ? styled(io, "red", `people don't reach the arms in the shares asked for (${mismatch}): find out why before you compare them`)
      : `people reach the arms in the shares asked for (${mismatch} against it)`,
  ].join("\n");
}
