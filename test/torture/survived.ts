/** From what a case asked and was answered to its row in the report: what most cases of the suite's own process have in common. */
import type { Survived } from "./case.ts";
import { acknowledgedOf, inspect } from "./invariants.ts";
import type { Sent } from "./load-order.ts";

export interface Asked {
  readonly run: string;
  /** The data folder; a server may run on it. */
  readonly folder: string;
  readonly isLive: boolean;
  readonly sent: readonly Sent[];
}

/** Looks at everything on the disk. @param own - what the case says of itself */
export async function survivedAs(
  { run, folder, isLive, sent }: Asked,
  own: Pick<Survived, "runs" | "injected" | "recoverMs" | "note" | "failures">,
): Promise<Survived> {
  const { acked, wrong } = acknowledgedOf(run, sent);
  const found = await inspect(folder, acked, isLive);
  const { lost, doubled, tallyOff } = found;
  return {
    kind: "fault",
    ...own,
    acked: acked.length,
    lost,
    doubled,
    wrong: wrong + found.wrong,
    tallyOff,
    serverErrors: sent.filter(({ status }) => status >= 500).length,
    failures: [...own.failures, ...found.failures],
  };
}
