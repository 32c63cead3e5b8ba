/** People who don't exist, for trying out a release: always the same ones, made from what the endpoint says of its inputs. */
import type { InputSpec, InputsSpec } from "./endpoint-spec.ts";
import type { Inputs } from "./inputs.ts";

/** One sample, and what is special about it, in words that finish "when …". */
export interface Sample {
  readonly inputs: Inputs;
  readonly what: string;
}

type Value = number | string | boolean | null;
const RANDOM_PEOPLE = 24;

/** Everything in the middle, at its least, at its greatest; each optional input missing, alone and all together; and random people. */
export function sampleInputs(spec: InputsSpec): readonly Sample[] {
  const names = Object.keys(spec);
  const person = (valueOf: (name: string, input: InputSpec) => Value): Inputs =>
    Object.fromEntries(names.map((name) => [name, valueOf(name, spec[name] ?? { type: "number" })]));
  const at = (part: number) => person((_name, input) => valueAt(input, part));
  const optional = names.filter((name) => spec[name]?.optional);

  const samples: Sample[] = [
    { inputs: at(0.5), what: "all inputs are ordinary" },
    { inputs: at(0), what: "all inputs are at their least" },
    { inputs: at(1), what: "all inputs are at their greatest" },
  ];
  for (const missing of optional) samples.push({ inputs: { ...at(0.5), [missing]: null }, what: `${missing} is missing` });
  if (optional.length > 1)
    samples.push({
      inputs: person((name, input) => (optional.includes(name) ? null : valueAt(input, 0.5))),
      what: "all optional inputs are missing",
    });
  for (const name of names) {
    for (const value of spec[name]?.values ?? [])
      samples.push({ inputs: { ...at(0.5), [name]: value }, what: `${name} is ${JSON.stringify(value)}` });
  }
  const draw = seededDraws(1);
  for (let i = 0; i < RANDOM_PEOPLE; i++)
    samples.push({ inputs: person((_name, input) => valueAt(input, draw())), what: `inputs are random (${i + 1})` });
  return samples;
}

/** The value a part of the way from the least to the greatest. Where nothing limits a number, 0 to 100 is as good as any. */
function valueAt({ type, min, max, values }: InputSpec, part: number): Value {
  switch (type) {
    case "boolean":
      return part >= 0.5;
    case "string":
      return values ? (values[Math.min(values.length - 1, Math.floor(part * values.length))] ?? "") : `text ${Math.floor(part * 10)}`;
    case "integer":
    case "number": {
      const low = min ?? Math.min(0, max === undefined ? 0 : max - 100);
      const high = max ?? low + 100;
      const value = low + part * (high - low);
      return type === "integer" ? Math.min(Math.floor(high), Math.max(Math.ceil(low), Math.round(value))) : value;
    }
  }
}

/** Numbers in [0, 1) that look random and are the same in every run (mulberry32). */
export function seededDraws(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}
