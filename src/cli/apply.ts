import type { ChangeView } from "../api/index.ts";
import { readText } from "./files.ts";
import { styled, table } from "./io.ts";
import { LOADING, UsageError, verb } from "./verb.ts";

export const apply = verb({
  name: "apply",
  help: `declare endpoints, releases, guardrails and sinks from a YAML file

usage: evenkeel apply -f <file> [--dry-run]

Applying the same file twice changes nothing. A mistake is shown with its line and column, and then nothing is changed.

examples:
  evenkeel apply -f examples/loans/loans.yaml --dry-run
  evenkeel apply -f examples/loans/loans.yaml`,
  words: 1,
  options: { file: { type: "string", short: "f" }, "dry-run": { type: "boolean" } },
  async run({ values, positionals }, { client, io, cwd }) {
    const file = values.file ?? positionals[0];
    if (!file) throw new UsageError("which file? -f <file>");
    const yaml = await readText(cwd, file);
    const dryRun = values["dry-run"] ?? false;
    const { changes } = await client().post<{ readonly changes: readonly ChangeView[] }>("/v1/apply", { yaml, dryRun }, LOADING);
    if (values.json) io.out(JSON.stringify({ changes, dryRun }));
    else {
      io.out(
        table(
          io,
          ["kind", "name", "release", "change"],
          changes.map(({ kind, name, release, change }) => [
            kind,
            name,
            release,
            change === "unchanged" ? change : styled(io, "green", change),
          ]),
        ),
      );
      for (const { name, note } of changes) if (note !== undefined) io.note(`${name}: ${note}`);
      if (dryRun) io.note("a dry run: nothing was changed");
    }
    return 0;
  },
});
