import type { AffectedView } from "../api/index.ts";
import { moment, plural } from "./format.ts";
import { styled, table } from "./io.ts";
import { PAGE, incidentNumber, UsageError, verb, wholeNumber } from "./verb.ts";

export const affected = verb({
  name: "affected",
  help: `list the people whose answer the restored release would change

usage: evenkeel affected <incident> [--limit <n>] [--after <id>]

One line a person: the earliest decision that harmed them. Nothing is ever taken from somebody who was lucky.

example:
  evenkeel affected 1 --limit 10`,
  words: 1,
  options: { limit: { type: "string" }, after: { type: "string" } },
  async run({ positionals: [word], values }, { client, io }) {
    if (!word) throw new UsageError("which incident? `evenkeel incidents` lists them");
    const n = incidentNumber(word);
    const found = await client().get<AffectedView>(`/v1/incidents/${n}/affected`, {
      limit: wholeNumber("--limit", values.limit ?? "50", PAGE),
      after: values.after,
    });
    if (values.json) io.out(JSON.stringify(found));
    else {
      io.out(
        `${plural(found.total, "person", "people")} decided about: ${styled(io, "bold", `${found.better} would have had a better answer`)}, ${found.worse} a worse one (nothing is taken from them), ${found.unchanged} the same${found.notReplayable > 0 ? `, ${found.notReplayable} can't be replayed` : ""}`,
      );
      const rows = found.people.map((one) => [
        moment(one.decidedAt),
        one.class,
        one.group,
        one.before.action,
        one.after?.action ?? null,
        one.decision,
      ]);
      io.out(table(io, ["decided", "class", "group", "was", "would be", "decision"], rows, "nobody"));
      if (found.next !== null) io.note(`further ones: evenkeel affected ${n} --after ${found.next}`);
    }
    return 0;
  },
});
