/** Which two versions are compared, as the address says it: `13..14`, or `13..` for one alone. */

export type Chosen =
  | { readonly kind: "none" }
  | { readonly kind: "one"; readonly a: number }
  /** The older one first. */
  | { readonly kind: "two"; readonly a: number; readonly b: number };

/** @param text - of the address; without one, the two newest @param numbers - of all versions, newest first */
export function diffOf(text: string | undefined, numbers: readonly number[]): Chosen {
  const asked = (text ?? numbers.slice(0, 2).join(".."))
    .split("..")
    .map(Number)
    .filter((number) => numbers.includes(number));
  return of(asked);
}

export function diffText(chosen: Chosen): string {
  return chosen.kind === "two" ? `${chosen.a}..${chosen.b}` : chosen.kind === "one" ? `${chosen.a}..` : "";
}

/** One more, or one less where it was chosen; of three, the one that lies nearer to the new one goes. */
export function chosenWith(chosen: Chosen, number: number): Chosen {
  const all = chosen.kind === "two" ? [chosen.a, chosen.b] : chosen.kind === "one" ? [chosen.a] : [];
  if (all.includes(number)) return of(all.filter((one) => one !== number));
  const [near, far] = all.toSorted((x, y) => Math.abs(x - number) - Math.abs(y - number));
  return of(far === undefined ? (near === undefined ? [number] : [near, number]) : [far, number]);
}

function of(numbers: readonly number[]): Chosen {
  const [a, b] = [...new Set(numbers)].toSorted((x, y) => x - y);
  if (a === undefined) return { kind: "none" };
  return b === undefined ? { kind: "one", a } : { kind: "two", a, b };
}
