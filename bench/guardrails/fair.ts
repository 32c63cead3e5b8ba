/** Releases that are fair, and what happens around them (sequential-tests §3 and §13): how often would they ever be rolled back? */
import { arrivals, binomial, type TestKind, type Uniform } from "../../src/monitoring/index.ts";

/** Counts of the cells of one look. */
export interface Look {
  readonly n: readonly number[];
  readonly k: readonly number[];
}

/** What comes with one look after the other in the life of a release. */
export type Stream = () => Look;

export interface FairScenario {
  readonly id: string;
  readonly what: string;
  readonly kind: TestKind;
  readonly limit: number;
  readonly dependence?: number;
  /** Decisions of a look. */
  readonly look: number;
  /** `holds`: rolled back at most as often as the budget says. `broken`: a rule of validity is broken on purpose, and the test must show it. */
  readonly expected: "holds" | "broken";
  /** Fewer lives, or shorter ones, where a look is costly. */
  readonly livesShare?: number;
  stream(next: Uniform): Stream;
}

const at = (rates: readonly number[], shares: readonly number[], look: number) => (next: Uniform) => () =>
  answered(rates, shares, look, next);

function answered(rates: readonly number[], shares: readonly number[], look: number, next: Uniform): Look {
  const n = arrivals(look, shares, next);
  return { n, k: n.map((count, g) => binomial(count, rates[g] ?? 0, next)) };
}

/** Ratio exactly at the limit: group a first. */
function ratio(id: string, what: string, b: number, share: number, more: Partial<FairScenario> = {}): FairScenario {
  const look = more.look ?? 100;
  return {
    id,
    what,
    kind: "ratio_min",
    limit: 0.8,
    expected: "holds",
    ...more,
    look,
    stream: more.stream ?? at([0.8 * b, b], [share, 1 - share], look),
  };
}

const LOOKS_A_DAY = 100;
const swing = (i: number) => 0.5 + 0.3 * Math.sin((2 * Math.PI * i) / LOOKS_A_DAY);

/** A normal number with mean 0 and deviation 1 (Box and Muller). */
const normal = (next: Uniform) => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());

const wobbling = (centre: number, deviation: number) => (next: Uniform) => () => {
  const a = Math.min(1, Math.max(0, centre * (1 + deviation * normal(next)) * 0.6));
  return answered([a, 0.6], [0.2, 0.8], 100, next);
};

/** The same answer three times: households, retries. */
const triples = (next: Uniform) => () => {
  const { n, k } = answered([0.48, 0.6], [0.2, 0.8], 34, next);
  return { n: n.map((count) => 3 * count), k: k.map((count) => 3 * count) };
};

/** Whoever is refused tries again at once, with a new chance. */
const retries = (next: Uniform) => () => {
  const { n, k } = answered([0.48, 0.6], [0.2, 0.8], 80, next);
  const again = n.map((count, g) => count - (k[g] ?? 0));
  return {
    n: n.map((count, g) => count + (again[g] ?? 0)),
    k: k.map((count, g) => count + binomial(again[g] ?? 0, [0.48, 0.6][g] ?? 0, next)),
  };
};

/** Looks until an outcome is known, by cell: bad ones come early, and delays differ by group. */
const DELAYS = { bad: [10, 30], good: [100, 40] } as const;
const MATURES_AFTER = 120;

/** Outcomes of decisions whose groups do alike at the limit; counted as they come, or once their decisions have reached an age. */
const outcomes = (rule: "as they come" | "matured") => (next: Uniform) => {
  const known: { n: number[]; k: number[] }[] = Array.from({ length: MATURES_AFTER + 1 }, () => ({ n: [0, 0], k: [0, 0] }));
  let i = 0;
  return () => {
    const { n, k } = answered([0.64, 0.8], [0.2, 0.8], 100, next);
    const put = (after: number, g: number, count: number, good: number) => {
      const slot = known[(i + after) % known.length];
      if (!slot) return;
      slot.n[g] = (slot.n[g] ?? 0) + count;
      slot.k[g] = (slot.k[g] ?? 0) + good;
    };
    for (const g of [0, 1] as const) {
      const [all, good] = [n[g] ?? 0, k[g] ?? 0];
      if (rule === "matured") put(MATURES_AFTER, g, all, good);
      else {
        put(DELAYS.good[g], g, good, good);
        put(DELAYS.bad[g], g, all - good, 0);
      }
    }
    const slot = known[i % known.length] ?? { n: [0, 0], k: [0, 0] };
    known[i % known.length] = { n: [0, 0], k: [0, 0] };
    i++;
    return slot;
  };
};

export const fairScenarios: readonly FairScenario[] = [
  ratio("half", "ratio 0.8, approval 0.7, half and half", 0.7, 0.5),
  ratio("tenth", "ratio 0.8, approval 0.3, group 10 %", 0.3, 0.1),
  ratio("rare", "ratio 0.8, approval 0.02, half and half", 0.02, 0.5),
  ratio("often", "ratio 0.8, approval 0.98, half and half", 0.98, 0.5),
  ratio("small", "ratio 0.8, approval 0.7, group 1 %", 0.7, 0.01),
  ratio("big blocks", "ratio 0.8, looked at every 20,000 decisions", 0.7, 0.5, { look: 20_000 }),
  ratio("every decision", "ratio 0.8, looked at after every decision", 0.7, 0.5, { look: 1, livesShare: 0.05 }),
  {
    ...ratio("rate least", "rate at least 0.7", 0.7, 1),
    kind: "rate_min",
    limit: 0.7,
    stream: at([0.7], [1], 100),
  },
  { ...ratio("rate most", "rate at most 0.02", 0.02, 1), kind: "rate_max", limit: 0.02, stream: at([0.02], [1], 100) },
  {
    ...ratio("difference", "difference 0.05, approval 0.6, group 20 %", 0.6, 0.2),
    kind: "diff_min",
    limit: 0.05,
    stream: at([0.55, 0.6], [0.2, 0.8], 100),
  },
  {
    ...ratio("wider gap", "gap 0.05 wider than before", 0.6, 0.2, { look: 200 }),
    kind: "did_min",
    limit: 0.05,
    stream: at([0.5, 0.65, 0.6, 0.7], [0.1, 0.4, 0.1, 0.4], 200),
  },
  ratio("ratio 0.85", "ratio 0.85", 0.7, 0.5, { stream: at([0.85 * 0.7, 0.7], [0.5, 0.5], 100) }),
  ratio("ratio 1", "ratio 1.0", 0.7, 0.5, { stream: at([0.7, 0.7], [0.5, 0.5], 100) }),
  ratio("swing", "approval swings 0.2 to 0.8 over the day", 0.5, 0.2, {
    stream: (next) => {
      let i = 0;
      return () => {
        const b = swing(i++);
        return answered([0.8 * b, b], [0.2, 0.8], 100, next);
      };
    },
  }),
  ratio("Simpson", "the same, and group a applies when few are approved", 0.5, 0.2, {
    stream: (next) => {
      let i = 0;
      return () => {
        const b = swing(i++);
        const share = 0.4 - 0.5 * (b - 0.2);
        return answered([0.8 * b, b], [share, 1 - share], 100, next);
      };
    },
  }),
  ratio("jumps", "approval jumps anywhere every 10,000 decisions", 0.5, 0.2, {
    stream: (next) => {
      let [i, b] = [0, 0.5];
      return () => {
        if (i++ % 100 === 0) b = 0.05 + 0.9 * next();
        return answered([0.8 * b, b], [0.2, 0.8], 100, next);
      };
    },
  }),
  ratio("retries", "the refused try again in the same block", 0.6, 0.2, { stream: retries }),
  ratio("wobble 2 %", "ratio wobbles round the limit, sd 2 %", 0.6, 0.2, { stream: wobbling(0.8, 0.02) }),
  ratio("wobble 5 %", "ratio wobbles round the limit, sd 5 %", 0.6, 0.2, { stream: wobbling(0.8, 0.05) }),
  ratio("wobble 10 %", "ratio wobbles round the limit, sd 10 %", 0.6, 0.2, { stream: wobbling(0.8, 0.1), expected: "broken" }),
  ratio("wobble at 0.84", "ratio wobbles by 10 % round 0.84", 0.6, 0.2, { stream: wobbling(0.84, 0.1) }),
  ratio("wobble at 0.88", "ratio wobbles by 10 % round 0.88", 0.6, 0.2, { stream: wobbling(0.88, 0.1) }),
  ratio("threes", "identical answers in threes, not told", 0.6, 0.2, { stream: triples, expected: "broken" }),
  ratio("threes told", "identical answers in threes, dependence: 3", 0.6, 0.2, { stream: triples, dependence: 3 }),
  ratio("early labels", "labels counted as they come", 0.8, 0.2, { stream: outcomes("as they come"), expected: "broken" }),
  ratio("matured", "labels by the maturity rule", 0.8, 0.2, { stream: outcomes("matured") }),
];
