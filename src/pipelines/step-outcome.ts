/** What became of a step: what it left, or why it left nothing. Pure. */
import { unreachable, type BlobId } from "../std.ts";
import type { Json } from "../store/index.ts";
import type { Out, StepRole } from "./declaration.ts";
import type { Ending } from "./executor.ts";
import type { StepInput, StepKey } from "./recipe.ts";

/** What became of a step once: kept under its key, so that it needn't run again. */
export interface StepOutcome {
  readonly key: StepKey;
  readonly pipeline: string;
  readonly step: string;
  readonly outs: Readonly<Record<string, BlobId>>;
  readonly metrics: Readonly<Record<string, number>>;
  /** The end of what it printed. */
  readonly log: string;
  readonly durationMs: number;
  /** Its `StepFacts`; left out by what was recorded before there were any. */
  readonly facts?: BlobId;
}

/** Everything that is known of one time that a step ran. Kept as a blob; a run has those of all its steps as `steps.json`. */
export interface StepFacts {
  readonly pipeline: string;
  readonly step: string;
  readonly role: StepRole;
  readonly key: StepKey;
  readonly cmd: string;
  readonly code: Readonly<Record<string, BlobId>>;
  readonly executable: readonly string[];
  readonly params: Readonly<Record<string, Json>>;
  /** Variables of the environment that it was told; left out when it names none. */
  readonly env?: Readonly<Record<string, string | null>>;
  readonly inputs: Readonly<Record<string, StepInput>>;
  /** Empty when it failed. */
  readonly outs: Readonly<Record<string, Out & { readonly blob: BlobId }>>;
  readonly metrics: Readonly<Record<string, number>>;
  /** Where it leaves them; null when it has none. */
  readonly metricsPath: string | null;
  readonly seed: number;
  readonly environment: string;
  readonly lineage: StepLineage;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** All that it printed; null when that was nothing. */
  readonly log: BlobId | null;
  /** Why it failed, in words; null when it didn't. */
  readonly failure: string | null;
}

/** Whether all that went into a step is known. */
export interface StepLineage {
  /** `unobserved`: nobody could see which files it opened. */
  readonly state: "complete" | "incomplete" | "unobserved";
  /** Who looked: `python`, `node`, `strace`. */
  readonly by: readonly string[];
  /** Files that it read without having declared them: of the project relative to it, others absolute. */
  readonly undeclaredReads: readonly string[];
}

/** Why a step has no outcome. */
export type StepTrouble =
  | Ending
  | {
      readonly kind: "missing-output";
      readonly missing: readonly string[];
      /** What it left in its folder without having declared it. */
      readonly there: readonly string[];
    }
  /** Into the project, past its own folder: somebody else's input, perhaps. */
  | { readonly kind: "wrote-outside"; readonly paths: readonly string[] }
  | { readonly kind: "bad-output"; readonly path: string; readonly why: string };

export interface StepFailure {
  readonly step: string;
  readonly trouble: StepTrouble;
  /** The end of what it printed. */
  readonly log: string;
  readonly timeoutMs: number;
  readonly facts: StepFacts;
}

/** Why a step failed, as the end of a sentence that begins with the step's name. */
export function troubleText({ trouble, timeoutMs }: Pick<StepFailure, "trouble" | "timeoutMs">): string {
  switch (trouble.kind) {
    case "exited":
      return `ended with exit status ${trouble.code}`;
    case "killed":
      return `was ended by ${trouble.signal}${trouble.signal === "SIGKILL" ? ": the machine may have run out of memory" : ""}`;
    case "timed-out":
      return `took longer than its time limit (${timeoutMs.toLocaleString("en")} ms) and was ended with all that it had started`;
    case "stopped":
      return "was stopped";
    case "not-started":
      return `could not start: ${trouble.why}`;
    case "missing-output": {
      const there = trouble.there.length > 0 ? `; it left ${trouble.there.join(", ")}, which it doesn't declare` : "";
      return `ended well but left no ${trouble.missing.join(" and no ")}${there}`;
    }
    case "wrote-outside":
      return `wrote where it may not: ${trouble.paths.slice(0, 5).join(", ")}${trouble.paths.length > 5 ? ", …" : ""}; what a step makes it leaves in its own folder, declared as an output`;
    case "bad-output":
      return `left a ${trouble.path} that can't be used: ${trouble.why}`;
    default:
      return unreachable(trouble);
  }
}

/** In one line, for where only one fits: what the command itself said last, else what became of it. */
export function failureLine(failure: StepFailure): string {
  const said = failure.log.trim().split("\n").at(-1) ?? "";
  return failure.trouble.kind === "exited" && said !== "" ? said : troubleText(failure);
}
