/** Numbers as a report's readers read them. */
import { unreachable } from "../../std.ts";
import type { Figure } from "./report-view.ts";

export const whole = (value: number): string => value.toLocaleString("en");
export const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
export const points = (difference: number): string => `${difference > 0 ? "+" : ""}${(difference * 100).toFixed(1)}`;
export const ratio = (value: number): string => value.toFixed(3);
export const moment = (iso: string): string => `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
export const plural = (count: number, one: string, many = `${one}s`): string => `${whole(count)} ${count === 1 ? one : many}`;

/** p- and q-values: their size, not their digits. */
export const chance = (value: number | null): string => (value === null ? "–" : value < 0.0001 ? "< 0.0001" : value.toFixed(4));

const SHAPES = { percent, points, ratio } as const;
export type Shape = keyof typeof SHAPES;

export const valueText = ({ value, why }: Figure, shape: Shape): string => (value === null ? reasonText(why) : SHAPES[shape](value));
/** Empty where there is none. */
export const rangeText = ({ low, high }: Figure, shape: Shape): string =>
  low === null && high === null ? "" : `${low === null ? "?" : SHAPES[shape](low)} to ${high === null ? "∞" : SHAPES[shape](high)}`;

/** Why there is no number, in a few words. */
export function reasonText(reason: string | null): string {
  switch (reason) {
    case null:
      return "–";
    case "not_applicable":
      return "not applicable";
    case "not_declared":
      return "not declared";
    case "no_decisions":
      return "no decisions";
    case "no_outcomes":
      return "no outcomes yet";
    case "selective_labels":
      return "bounds only";
    case "no_denominator":
      return "no such people";
    case "too_few":
      return "too few";
    case "reference_missing":
      return "nobody in the reference group";
    case "reference_too_few":
      return "too few in the reference group";
    case "reference_zero":
      return "nobody of the reference is favoured";
    case "no_profile":
      return "nothing to compare with";
    case "suppressed":
      return "hidden: too few";
    default:
      return reason.replaceAll("_", " ");
  }
}

const STATES = {
  "no-data": "too early to say",
  "not-comparable": "not comparable",
  "not-identifiable": "not identifiable",
  ok: "holds",
  watched: "watched",
  breached: "breached",
  paused: "paused",
} as const;
export const stateText = (state: string): string =>
  Object.entries(STATES).find(([word]) => word === state)?.[1] ?? state.replaceAll("-", " ");

const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const DAY_MS = 86_400_000;
const dayText = (day: Date): string => `${day.getUTCDate()} ${MONTHS[day.getUTCMonth()] ?? ""} ${day.getUTCFullYear()}`;
/** A half-open period by its first and its last day: `1 November 2026 to 30 November 2026`. */
export function periodText(from: string, to: string): string {
  const [first, last] = [new Date(`${from}T00:00:00Z`), new Date(Date.parse(`${to}T00:00:00Z`) - DAY_MS)];
  return first.getTime() === last.getTime() ? dayText(first) : `${dayText(first)} to ${dayText(last)}`;
}

/** What a guardrail's breach does. */
export function actionText(action: string): string {
  const known = ["warn", "hold", "roll_back", "fall_back"] as const;
  const one = known.find((each) => each === action);
  if (one === undefined) return action;
  switch (one) {
    case "warn":
      return "warns";
    case "hold":
      return "holds rollouts";
    case "roll_back":
      return "rolls back";
    case "fall_back":
      return "goes to the fallback";
    default:
      return unreachable(one);
  }
}
