import type { AuditPageView, AuditVerdictView } from "../api/index.ts";
import { styled, table } from "./io.ts";
import { PAGE, UsageError, verb, wholeNumber } from "./verb.ts";

export const audit = verb({
  name: "audit",
  help: `show the audit log, or recompute its hash chain

usage: evenkeel audit ls [--limit <n>] [--before <seq>]
       evenkeel audit verify [--head <seq:hash>]

verify exits 1 when an entry was changed, removed, inserted or moved. Keep the head it prints somewhere this server can't write:
with --head it also finds a log that was cut off at the end, or rewritten as a whole.

examples:
  evenkeel audit verify
  evenkeel audit ls --limit 20 --json`,
  words: 1,
  options: { limit: { type: "string" }, before: { type: "string" }, head: { type: "string" } },
  async run({ positionals: [act], values }, { client, io }) {
    switch (act) {
      case "verify": {
        const verdict = await client().get<AuditVerdictView>("/v1/audit/verdict", { head: values.head });
        if (values.json) io.out(JSON.stringify(verdict));
        else if (verdict.isValid) io.out(`${styled(io, "green", "whole")}: ${verdict.entries} entries\nhead ${verdict.head ?? "none yet"}`);
        else io.out([styled(io, "red", "not as it was written:"), ...verdict.problems.map((found) => `  ${found}`)].join("\n"));
        return verdict.isValid ? 0 : 1;
      }
      case "ls":
      case undefined: {
        const page = await client().get<AuditPageView>("/v1/audit", {
          limit: wholeNumber("--limit", values.limit ?? "50", PAGE),
          before: values.before,
        });
        if (values.json) io.out(JSON.stringify(page));
        else {
          io.out(
            table(
              io,
              ["seq", "time", "actor", "action", "object"],
              page.entries.map((entry) => [entry.seq, entry.time, entry.actor, entry.action, entry.object]),
            ),
          );
          if (page.next !== null) io.note(`older ones: evenkeel audit ls --before ${page.next}`);
        }
        return 0;
      }
      default:
        throw new UsageError(`audit can ls or verify, not "${act}"`);
    }
  },
});
