/** Whether inputs are as an endpoint expects them. */
import type { ExpectationWatch, MetricSample } from "../../monitoring/index.ts";
import type { EndpointRoom } from "../../releases/index.ts";
import type { Collected } from "./families.ts";
import { perEndpoint } from "./served.ts";

type Expected =
  | "evenkeel_expectation_checked_total"
  | "evenkeel_expectation_breaches_total"
  | "evenkeel_expectation_refused_total"
  | "evenkeel_expectation_warned";

export interface InputParts {
  readonly expectations: Pick<ExpectationWatch, "totals" | "refused" | "warnings">;
}

export async function expected({ expectations }: InputParts, rooms: readonly EndpointRoom[]): Promise<Pick<Collected, Expected>> {
  const expecting = rooms.filter(({ definition }) => definition.compiled.expectations !== null);
  const names = new Set<string>(expecting.map(({ name }) => name));
  const totals = expectations.totals().filter(({ endpoint }) => names.has(endpoint));
  const warned: MetricSample[] = [];
  for (const { name: endpoint } of expecting) {
    // Kinds of breaches of one name: it may have been declared anew since it was warned of.
    const kinds = new Set((await expectations.warnings(endpoint)).map(({ expectation, breach }) => `${expectation}\0${breach}`));
    for (const kind of kinds) {
      const [expectation = "", breach = ""] = kind.split("\0");
      warned.push({ labels: { endpoint, expectation, breach }, value: 1 });
    }
  }
  return {
    evenkeel_expectation_checked_total: totals.map(({ endpoint, expectation, checked }) => ({
      labels: { endpoint, expectation },
      value: checked,
    })),
    evenkeel_expectation_breaches_total: totals.flatMap(({ endpoint, expectation, breaches }) =>
      Object.entries(breaches).map(([breach, value]) => ({ labels: { endpoint, expectation, breach }, value })),
    ),
    evenkeel_expectation_refused_total: perEndpoint(expecting, ({ name }) => expectations.refused(name)),
    evenkeel_expectation_warned: warned,
  };
}
