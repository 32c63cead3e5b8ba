import type { ReasonsView } from "../api/index.ts";
import { styled, table } from "./io.ts";
import { UsageError, verb } from "./verb.ts";

export const reasons = verb({
  name: "reasons",
  help: `show the principal reasons of a decision

usage: evenkeel reasons <endpoint> <id>

At most four, the weightiest first: what moved the score towards the action that was given, against people whom the release approved.
The same decision always has the same reasons. Values are shown to readers with protected:read.

example:
  evenkeel reasons loans 019ab3c4-0000-7000-8000-000000000000`,
  words: 2,
  options: {},
  async run({ positionals: [endpoint, id], values }, { client, io }) {
    if (!endpoint) throw new UsageError("which endpoint?");
    if (!id) throw new UsageError("which decision? `evenkeel decisions` lists them");
    const path = `/v1/endpoints/${encodeURIComponent(endpoint)}/decisions/${encodeURIComponent(id)}/reasons`;
    const found = await client().get<ReasonsView>(path);
    if (values.json) {
      io.out(JSON.stringify(found));
      return 0;
    }
    const score = found.score === null ? "without a score" : `with the score ${found.score.toFixed(3)}`;
    io.out(styled(io, "bold", `${found.action} ${score}`));
    const rows = found.reasons.map((reason, i) => [
      i + 1,
      reason.code,
      reason.text,
      found.values === null ? null : valuesOf(reason.features, found.values),
      reason.share === null ? null : `${Math.round(100 * reason.share)} %`,
      reason.contribution === null
        ? null
        : `${signed(reason.contribution)}${reason.standardError ? ` ± ${reason.standardError.toFixed(4)}` : ""}`,
    ]);
    io.out(table(io, ["", "code", "reason", "value", "of the difference", found.scale], rows, NOTHING));
    const { withheld } = found;
    if (withheld !== null)
      io.note(
        `${withheld.attributes.join(", ")} moved it by ${signed(withheld.contribution)} (${withheld.features.join(", ")}): protected attributes are never a reason`,
      );
    io.note(methodOf(found));
    return 0;
  },
});

const NOTHING = "nothing moved the score further towards it than for the people it is compared with";

const signed = (value: number): string => `${value < 0 ? "" : "+"}${value.toFixed(4)}`;

function valuesOf(features: readonly string[], values: NonNullable<ReasonsView["values"]>): string {
  return features
    .filter((name) => Object.hasOwn(values, name))
    .map((name) => (features.length > 1 ? `${name} ${values[name] ?? "missing"}` : String(values[name] ?? "missing")))
    .join(", ");
}

function methodOf({ method, scale, reference, from, to }: ReasonsView): string {
  if (reference === null || from === null || to === null) return "as the rule that answered says";
  const how =
    method === "sampled" ? "sampled Shapley values" : `exact Shapley values of its ${method === "trees" ? "trees" : "weighted sum"}`;
  const who = reference.source === "approved" ? "people whom the release approved" : "recorded people whom the release would approve";
  const unit = scale === "score" ? "a score" : "log-odds";
  return `${how}, against ${reference.people} ${who} (mean score ${reference.meanScore.toFixed(3)}): from ${unit} of ${from.toFixed(4)} to ${to.toFixed(4)}; reference ${reference.id.slice(0, 16)}`;
}
