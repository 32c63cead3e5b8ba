/** What is said when a step of a pipeline failed. */
import { troubleText, type Spoiled } from "../pipelines/index.ts";
import { styled, type Io } from "./io.ts";

const LOG_LINES_SHOWN = 20;

/** The steps, what became of them, the end of their logs, what was kept and what didn't run. */
export function spoiledText(io: Io, { failures, kept, notRun }: Spoiled): string {
  return [
    ...failures.flatMap((failure) => {
      const log = failure.log.trimEnd();
      const last = log === "" ? [] : log.split("\n").slice(-LOG_LINES_SHOWN);
      const head = `step ${failure.step} ${troubleText(failure)}`;
      return [
        styled(io, "red", last.length > 0 ? `${head}; the end of its log:` : `${head}; it printed nothing`),
        ...last.map((line) => `  ${line}`),
      ];
    }),
    kept.length > 0 ? `kept, and not run again: ${kept.map(({ step }) => step).join(", ")}` : "nothing was kept",
    ...(notRun.length > 0 ? [`not run: ${notRun.join(", ")}`] : []),
  ].join("\n");
}
