import { setTimeout as sleep } from "node:timers/promises";
import type { LogView } from "../api/index.ts";
import { styled } from "./io.ts";
import { UsageError, verb, wholeNumber } from "./verb.ts";

const FOLLOW_EVERY_MS = 1000;

export const logs = verb({
  name: "logs",
  help: `show what a release's container has printed

usage: evenkeel logs <endpoint> <release> [--tail <n>] [--follow]

  --tail    the last so many lines (default: 200)
  --follow  then what comes, until Ctrl+C

examples:
  evenkeel logs loans r7
  evenkeel logs loans r7 --tail 20 --follow`,
  words: 2,
  options: { tail: { type: "string" }, follow: { type: "boolean", short: "f" } },
  async run({ positionals: [endpoint, release], values }, { client, io }) {
    if (!endpoint || !release) throw new UsageError("which endpoint, and which release?");
    const path = `/v1/endpoints/${encodeURIComponent(endpoint)}/releases/${encodeURIComponent(release)}/logs`;
    const tail = wholeNumber("--tail", values.tail ?? "200", { min: 1, max: 1000 });
    let page = await client().get<LogView>(path, { tail });
    if (page.missing !== null) {
      if (values.json) io.out(JSON.stringify(page));
      else io.note(`${release} has no log: ${page.missing}`);
      return 1;
    }
    for (;;) {
      if (values.json && !values.follow) io.out(JSON.stringify(page));
      else
        for (const line of page.lines)
          io.out(
            values.json
              ? JSON.stringify(line)
              : `${line.at ?? ""} ${line.stream === "stderr" ? styled(io, "yellow", line.text) : line.text}`,
          );
      if (!values.follow) return 0;
      await sleep(FOLLOW_EVERY_MS);
      page = await client().get<LogView>(path, { tail: 1000, ...(page.next === null ? {} : { after: page.next }) });
    }
  },
});
