/** Which runs are compared, as the address says it: `?compare=a,b`. Pure. */
import { runId } from "./mlflow-address.ts";

/** As many as fit beside each other. */
const COMPARED_MAX = 20;

export const comparedIn = (text: string | undefined): readonly string[] =>
  [...new Set((text ?? "").split(",").flatMap((part) => runId(part) ?? []))].slice(0, COMPARED_MAX);

/** With the run where it wasn't, without it where it was; undefined where none is left. */
export function withRun(chosen: readonly string[], run: string): string | undefined {
  const next = chosen.includes(run) ? chosen.filter((one) => one !== run) : [...chosen, run].slice(-COMPARED_MAX);
  return next.length > 0 ? next.join(",") : undefined;
}
