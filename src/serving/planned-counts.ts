/** How often each release was the one to answer, by the route table, and how often it had no answer then. */
import type { EndpointName, ReleaseId } from "../std.ts";
import type { ServingArm } from "../decisions/index.ts";
import type { Planned } from "./route-view.ts";

/** Of one release in one place since the process began. Whom testers ask by name isn't among them. */
export interface PlannedCount {
  readonly endpoint: EndpointName;
  readonly release: ReleaseId;
  readonly arm: ServingArm;
  readonly asked: number;
  /** Another release answered, or nobody did. */
  readonly failed: number;
}

export class PlannedCounts {
  /** Few: an endpoint's releases that ever had a place, by place. */
  readonly #counts = new Map<string, { -readonly [K in keyof PlannedCount]: PlannedCount[K] }>();

  /** @param asked - how many people it was to answer */
  note(endpoint: EndpointName, { arm, order }: Planned, asked: number, failed: number): void {
    const [first] = order;
    if (!first || arm === "pinned") return;
    const release = first.release.id;
    const key = `${release} ${arm}`;
    const count = this.#counts.get(key);
    if (!count) this.#counts.set(key, { endpoint, release, arm, asked, failed });
    else {
      count.asked += asked;
      count.failed += failed;
    }
  }

  list(): readonly PlannedCount[] {
    return [...this.#counts.values()].map((count) => ({ ...count }));
  }
}
