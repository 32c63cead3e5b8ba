/** What follows an incident by itself, beside the looks of the guardrails: who it touched, and which step of the making did it. */
import type { Blame, BlameRefusal } from "../diagnosis/index.ts";
import type { Actor, Incidents } from "../releases/index.ts";
import { asError, unreachable } from "../std.ts";
import { StorageError, type Store } from "../store/index.ts";
import type { AffectedSummary, Redress, RedressRefusal } from "./affected.ts";

export interface FollowUpParts {
  readonly store: Store;
  readonly incidents: Incidents;
  readonly redress: Redress;
  readonly blame: Blame;
  /** Told of what went wrong; the incident is tried again at the next tick, three times in all, and once more after a restart. */
  readonly onTrouble: (error: Error) => void;
}

/** Event of the timeline that says that nothing is left to follow by itself. */
const LOOKED_INTO = "looked-into";
const TRIES = 3;
const FULL_DISK_MS = 10_000;

const actor: Actor = { kind: "system", name: "redress" };

export class FollowUp {
  readonly #parts: FollowUpParts;
  readonly #tries = new Map<number, number>();
  /** On a full disk it is no use to try every time: when to try again. */
  readonly #notBeforeMs = new Map<number, number>();

  constructor(parts: FollowUpParts) {
    this.#parts = parts;
  }

  /** Looks into every incident that nobody has looked into, oldest first; also into those that a crash left behind. */
  async tick(): Promise<void> {
    const { store, incidents, onTrouble } = this.#parts;
    for (const n of await incidents.lacking(LOOKED_INTO)) {
      const tries = this.#tries.get(n) ?? 0;
      const nowMs = store.runtime.clock.nowMs();
      if (tries >= TRIES || nowMs < (this.#notBeforeMs.get(n) ?? 0)) continue;
      this.#tries.set(n, tries + 1);
      try {
        await this.#lookInto(n);
        this.#tries.delete(n);
        this.#notBeforeMs.delete(n);
      } catch (error) {
        if (error instanceof StorageError && error.trouble === "storage-full") {
          this.#tries.set(n, tries);
          this.#notBeforeMs.set(n, nowMs + FULL_DISK_MS);
        }
        onTrouble(asError(error));
      }
    }
  }

  async #lookInto(n: number): Promise<void> {
    const { store, incidents, redress, blame } = this.#parts;
    const found = await redress.find(n);
    const blamed = await blame.tierZero(n);
    const people = found.ok ? foundText(found.value) : `the people it touched can't be listed: ${whyNotFound(found.error)}`;
    const text = blamed.ok ? people : `${people}; the cause can't be told: ${whyNotBlamed(blamed.error)}`;
    const atMs = store.runtime.clock.nowMs();
    await store.transaction((tx) => incidents.add(tx, n, { kind: LOOKED_INTO, actor, atMs, text }));
  }
}

function foundText({ total, byClass }: AffectedSummary): string {
  const better = byClass.harmed + byClass.worse_terms;
  return `${total} people were decided about; ${better} would get a better answer from the restored release`;
}

function whyNotFound(refusal: RedressRefusal): string {
  switch (refusal.kind) {
    case "unknown-incident":
      return "there is no such incident";
    case "nothing-restored":
      return "no release was put back to compare with";
    case "cannot-replay":
      return refusal.why;
    default:
      return unreachable(refusal);
  }
}

function whyNotBlamed(refusal: BlameRefusal): string {
  switch (refusal.kind) {
    case "unknown-incident":
      return "there is no such incident";
    case "cannot-blame":
      return refusal.why;
    case "invalid":
      return "what was asked is not as expected";
    default:
      return unreachable(refusal);
  }
}
