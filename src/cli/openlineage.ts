import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { OpenLineageEventsView, OpenLineageStatusView } from "../api/index.ts";
import { moment, plural } from "./format.ts";
import { styled, type Io } from "./io.ts";
import { UsageError, verb } from "./verb.ts";

export const openlineage = verb({
  name: "openlineage",
  help: `lineage as events of OpenLineage

usage: evenkeel openlineage status
       evenkeel openlineage export [--file <events.ndjson>]

export writes everything that happened so far, one event a line, to the file or to standard output. A receiver that is told of everything as it
happens is named when the server starts: evenkeel up --openlineage <url|file>; status says how it stands (exit code 3 while it fails).

examples:
  evenkeel openlineage export
  evenkeel openlineage status`,
  words: 1,
  options: { file: { type: "string" } },
  async run({ positionals: [act], values }, { client, io, cwd }) {
    switch (act) {
      case "status": {
        const { receiver } = await client().get<OpenLineageStatusView>("/v1/openlineage");
        io.out(values.json ? JSON.stringify({ receiver }) : statusText(io, receiver));
        return receiver !== null && receiver.failures > 0 ? 3 : 0;
      }
      case "export": {
        const path = values.file === undefined ? undefined : resolve(cwd, values.file);
        if (path !== undefined) await writeFile(path, "", { flag: "wx" }).catch(refused(values.file ?? ""));
        let count = 0;
        for (let after: number | null = 0; after !== null;) {
          const page: OpenLineageEventsView = await client().get<OpenLineageEventsView>("/v1/openlineage/events", { after });
          const lines = page.events.map((event) => JSON.stringify(event));
          if (path !== undefined) await writeFile(path, lines.map((line) => `${line}\n`).join(""), { flag: "a" });
          else if (lines.length > 0) io.out(lines.join("\n"));
          count += lines.length;
          after = page.next;
        }
        if (path !== undefined) io.note(`${plural(count, "event")} written to ${values.file}`);
        return 0;
      }
      default:
        throw new UsageError(act ? `openlineage can status or export, not "${act}"` : "status, or export?");
    }
  },
});

/** What is there already may be somebody's. */
const refused = (file: string) => (error: unknown) => {
  const isThere = error instanceof Error && "code" in error && error.code === "EEXIST";
  throw isThere ? new Error(`${file} is there already: name another file`) : error;
};

function statusText(io: Io, receiver: OpenLineageStatusView["receiver"]): string {
  if (!receiver) return "nobody is told: evenkeel up --openlineage <url|file> names a receiver";
  const { target, waiting, delivered, refused: passed, failures, lastError, lastErrorAt, lastSuccessAt } = receiver;
  return [
    `${styled(io, "bold", target)}  ${failures > 0 ? styled(io, "red", `has failed ${plural(failures, "time")} in a row`) : styled(io, "green", "is told")}`,
    `${plural(delivered, "event")} delivered${lastSuccessAt === null ? "" : `, the last ${moment(lastSuccessAt)}`}; ${plural(waiting, "entry", "entries")} of the audit log to go`,
    ...(passed > 0 ? [styled(io, "yellow", `${plural(passed, "event")} refused for good, and passed over`)] : []),
    ...(lastError === null ? [] : [`last trouble${lastErrorAt === null ? "" : ` ${moment(lastErrorAt)}`}: ${lastError}`]),
  ].join("\n");
}
