/** `evenkeel guardrail show`: everything that is known of an endpoint's guardrails. */
import type { GuardrailStateView, GuardrailsView } from "../api/index.ts";
import { evidence, percent, plural, ratio } from "./format.ts";
import { styled, table, type Io } from "./io.ts";
import type { VerbContext } from "./verb.ts";

export async function showGuardrails({ client, io }: VerbContext, endpoint: string, isJson: boolean | undefined): Promise<number> {
  const view = await client().get<GuardrailsView>(`/v1/endpoints/${encodeURIComponent(endpoint)}/guardrails`);
  if (isJson) io.out(JSON.stringify(view));
  else io.out(guardrailsText(io, view));
  return view.guardrails.some(({ state }) => state === "breached") ? 3 : 0;
}

function guardrailsText(io: Io, { guardrails, coverage, writers }: GuardrailsView): string {
  return [
    statesTable(io, guardrails),
    ...guardrails.flatMap((one) => notesOf(one).map((note) => `${one.release} ${one.guardrail} ${one.group}: ${note}`)),
    "",
    ...coverage.flatMap(({ release, arm, decisions, repeats, attributes }) => [
      `${release} ${arm}: ${plural(decisions, "decision")}, ${repeats.toLocaleString("en")} of them repeats, which are no evidence`,
      ...attributes.flatMap(({ attribute, unknown, unknownOfFavourable, unknownOfOthers, dependsOnAnswer }) =>
        unknown === 0
          ? []
          : [
              `  ${attribute} isn't known of ${unknown.toLocaleString("en")} (${share(unknownOfFavourable)} of the favourable answers, ${share(unknownOfOthers)} of the others)${
                dependsOnAnswer ? styled(io, "yellow", ": telling it may depend on the answer, and then its guardrails are biased") : ""
              }`,
            ],
      ),
    ]),
    "",
    table(
      io,
      ["writer", "share before", "now", "favourable before", "now", "mix (PSI)", "changed"],
      writers.map(({ writer, shareBefore, shareNow, rateBefore, rateNow, mix, found }) => [
        writer,
        share(shareBefore),
        share(shareNow),
        share(rateBefore),
        share(rateNow),
        mix === null ? null : mix.toFixed(3),
        found.join(", "),
      ]),
      "nobody has sent decisions in the last eight days",
    ),
  ].join("\n");
}

export function statesTable(io: Io, guardrails: readonly GuardrailStateView[]): string {
  return table(
    io,
    ["release", "arm", "guardrail", "group", "against", "state", "n", "pooled", "band", "like for like", "limit", "evidence"],
    guardrails.map((one) => [
      one.release,
      one.arm,
      one.guardrail,
      one.group,
      one.reference,
      one.isWarned && one.state !== "breached" ? `${one.state}, warned` : one.state,
      one.groupDecisions,
      ratio(one.estimate),
      one.band ? `${ratio(one.band.low)} to ${ratio(one.band.high)}` : null,
      ratio(one.likeForLike),
      limitText(one),
      `${evidence(one.evidence)} of ${evidence(one.threshold)}`,
    ]),
    "no guardrail watches this endpoint",
  );
}

/** A difference that must be at least its limit is one of group less reference: the limit is how far the group may be behind. */
const limitText = ({ metric, direction, limit }: GuardrailStateView): string =>
  direction === "at_most" ? `≤ ${ratio(limit)}` : `≥ ${ratio(metric.endsWith("_difference") ? -limit : limit)}`;

/** What a row has no room for. */
function notesOf({ why, mixDiffers, isNamed, state, forecastDecisions, paused }: GuardrailStateView): readonly string[] {
  return [
    ...(paused === null ? [] : [`paused: ${paused}`]),
    ...(why === null ? [] : [why]),
    ...(mixDiffers ? ["pooled and like for like differ: the group applies more when fewer, or more, people are approved"] : []),
    ...(isNamed && state !== "breached" ? ["proven together with those that breached"] : []),
    ...(forecastDecisions === null || forecastDecisions === 0
      ? []
      : [`proof in some ${forecastDecisions.toLocaleString("en")} decisions if it goes on so`]),
  ];
}

const share = (value: number | null): string => (value === null ? "–" : percent(value));
