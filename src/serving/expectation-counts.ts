/** Counts of what came in otherwise than expected, in memory: on the way of every request, so nothing but additions. */
import type { EndpointName, Issue } from "../std.ts";
import type { CompiledEndpoint } from "./endpoint.ts";
import type { CompiledExpectations, ExpectationFigures } from "./expectations.ts";
import type { Inputs } from "./inputs.ts";

/** What was counted since a definition of an endpoint came into force in this process. */
export interface ExpectationCount {
  readonly endpoint: EndpointName;
  readonly expectations: CompiledExpectations;
  readonly figures: ExpectationFigures;
}

export class ExpectationCounts {
  /** By definition: one that was replaced still answers for what began under it. */
  readonly #counts = new Map<CompiledExpectations, { readonly endpoint: EndpointName; readonly counts: Float64Array }>();

  /**
   * Looks at the inputs of a valid request.
   * @param isCounted - not for what was sent to try a release
   * @returns why it is refused; null where it isn't
   */
  look({ name, expectations }: CompiledEndpoint, inputs: Inputs, isCounted: boolean): readonly Issue[] | null {
    if (expectations === null) return null;
    const isRefused = expectations.check(inputs, isCounted ? this.#of(name, expectations) : expectations.emptyCounts());
    return isRefused ? expectations.issues(inputs) : null;
  }

  #of(endpoint: EndpointName, expectations: CompiledExpectations): Float64Array {
    let known = this.#counts.get(expectations);
    if (known === undefined) {
      known = { endpoint, counts: expectations.emptyCounts() };
      this.#counts.set(expectations, known);
    }
    return known.counts;
  }

  list(): readonly ExpectationCount[] {
    return [...this.#counts].map(([expectations, { endpoint, counts }]) => ({
      endpoint,
      expectations,
      figures: expectations.read(counts),
    }));
  }

  /** Lets go of counts that were taken over by whoever keeps them, of a definition that is no longer in force. */
  forget(expectations: CompiledExpectations): void {
    this.#counts.delete(expectations);
  }
}
