/** What a case of the suite is, what it is given, and what it gives back. */
import type { Chance } from "./chance.ts";

/** What a fault did, in the columns of the report. */
export interface Survived {
  readonly kind: "fault";
  readonly runs: number;
  readonly injected: number;
  /** Decisions acknowledged; null where the case acknowledges none of its own. */
  readonly acked: number | null;
  readonly lost: number | null;
  readonly doubled: number;
  /** Answers that differ from what their release should have said, and broken promises of the case itself. */
  readonly wrong: number;
  readonly tallyOff: number;
  /** Answers with a status from 500. */
  readonly serverErrors: number;
  readonly recoverMs: readonly number[];
  /** Figures of the case's own, in words. */
  readonly note: string;
  /** What must hold and didn't, in sentences; empty is a pass. */
  readonly failures: readonly string[];
}

/** A broken product on purpose: it must be found out. */
export interface Control {
  readonly kind: "control";
  /** What was found wrong with it. Nothing found is a failure of the suite. */
  readonly found: string | undefined;
}

export interface LoadHeld {
  readonly kind: "load";
  readonly offeredPerSecond: number;
  readonly goodPerSecond: number;
  readonly shed: number;
  readonly failed: number;
  readonly fallback: number;
  readonly answered: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  readonly loopP99Ms: number;
  readonly rssMb: number;
  /** The generator itself was late: the figures say nothing about the server. Neither passed nor failed, unless a promise was broken. */
  readonly isVoid: boolean;
  readonly note: string;
  readonly failures: readonly string[];
}
export type Outcome = Survived | Control | LoadHeld;

export interface Prepared {
  readonly folder: string;
  /** An application's. */
  readonly token: string;
}

export interface Torment {
  /** Of this case: the same for the same seed whatever else runs. */
  readonly seed: number;
  readonly random: Chance;
  readonly isShort: boolean;
  /** How long the case may go on choosing more moments. */
  readonly budgetMs: number;
  /** A folder that is removed afterwards. */
  folder(): string;
  /** A data folder to copy, with the endpoint `loans` in it: made once for all cases. */
  prepared(): Promise<Prepared>;
  /** Shown while it runs. */
  say(text: string): void;
}

export interface Case {
  readonly id: string;
  readonly title: string;
  readonly section: Outcome["kind"];
  /** Why it can't run here; undefined when it can. */
  readonly cannot: () => string | undefined;
  readonly run: (torment: Torment) => Promise<Outcome>;
}
