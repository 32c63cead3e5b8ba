/** What stands in place of a number, and how numbers of metrics read. */
import type { EndpointMetricsView } from "../../../src/api/endpoint-metrics-view.ts";
import { decimals, rate } from "../format.ts";

export type Answer = EndpointMetricsView["answers"][number];

/** Why there is no number. */
export function whySaid({ reason, numerator, denominator }: Answer, minimum: number): string {
  switch (reason) {
    case null:
      return "";
    case "not_applicable":
      return "not available for this release";
    case "not_declared":
      return "not declared";
    case "no_decisions":
      return "no decisions yet";
    case "no_outcomes":
      return "no outcomes yet";
    case "selective_labels":
      return "only bounds can be told";
    case "no_denominator":
      return "no such people yet";
    case "too_few":
      return numerator ? `${numerator.n} of ${minimum} needed` : "too few";
    case "reference_missing":
      return "nobody in the reference group yet";
    case "reference_too_few":
      return denominator ? `${denominator.n} of ${minimum} needed in the reference group` : "too few in the reference group";
    case "reference_zero":
      return "compare by difference";
    case "bins_mismatch":
      return "counted differently before and after";
    case "no_profile":
      return "nothing to compare with";
    case "suppressed":
      return "too few to show";
    default:
      return reason satisfies never;
  }
}

/** The number of a rate; the bounds where only those are known. */
export function rateSaid({ value, bounds }: Answer): string {
  if (value !== null) return rate(value);
  // Bounds that meet: the outcome of everybody is known.
  if (bounds && bounds.low === bounds.high) return rate(bounds.low);
  return bounds ? `${rate(bounds.low)} to ${rate(bounds.high)}` : "–";
}

/** Whose answer it is: `female, graduate`. */
export const groupSaid = (group: Readonly<Record<string, string>>): string =>
  Object.values(group)
    .map((value) => value.replaceAll("_", " "))
    .join(", ") || "everybody";

export const ratioSaid = (value: number | null): string => (value === null ? "–" : decimals(value, 3));

export const statusSaid = (status: Answer["status"]): string => (status === "too_few" ? "too few to say" : (status ?? ""));

/** What something was compared with. */
export function againstSaid({ against }: Answer, trainedOn: string | null): string {
  switch (against) {
    case undefined:
      return "";
    case "training":
      return trainedOn ?? "the training data";
    case "launch":
      return "the release's first week";
    case "previous":
      return "a week before";
    default:
      return against satisfies never;
  }
}
