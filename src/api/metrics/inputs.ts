/** What came in otherwise than expected. */
import type { ExpectationWatch } from "../../monitoring/index.ts";
import type { EndpointRoom } from "../../releases/index.ts";
import { BREACHES } from "../../serving/index.ts";
import type { Collected } from "./families.ts";

type Inputs =
  | "evenkeel_expectation_requests_total"
  | "evenkeel_expectation_breaches_total"
  | "evenkeel_expectation_refused_total"
  | "evenkeel_expectation_warnings";

export interface InputsParts {
  readonly expectations: Pick<ExpectationWatch, "totals" | "refused" | "warnings">;
}

export async function expected({ expectations }: InputsParts, rooms: readonly EndpointRoom[]): Promise<Pick<Collected, Inputs>> {
  const watching = rooms.filter(({ definition }) => definition.compiled.expectations !== null);
  const names = new Set(watching.map(({ name }) => name));
  const totals = expectations.totals().filter(({ endpoint }) => names.has(endpoint));
  const warnings = await Promise.all(
    watching.map(async ({ name }) => ({ labels: { endpoint: name }, value: (await expectations.warnings(name)).length })),
  );
  return {
    evenkeel_expectation_requests_total: totals.map(({ endpoint, expectation, checked }) => ({
      labels: { endpoint, expectation },
      value: checked,
    })),
    evenkeel_expectation_breaches_total: totals.flatMap(({ endpoint, expectation, breaches }) =>
      BREACHES.flatMap((breach) =>
        breaches[breach] === 0 ? [] : [{ labels: { endpoint, expectation, breach }, value: breaches[breach] }],
      ),
    ),
    evenkeel_expectation_refused_total: watching.map(({ name }) => ({ labels: { endpoint: name }, value: expectations.refused(name) })),
    evenkeel_expectation_warnings: warnings,
  };
}
