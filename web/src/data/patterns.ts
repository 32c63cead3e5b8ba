import type { DatasetDiffView } from "../../../src/api/dataset-diff-view.ts";
import { counted } from "../format.ts";

export type Pattern = NonNullable<DatasetDiffView["cells"][number]["patterns"]>[number];

const spellings = {
  "zeros-trimmed": "without its zeros",
  "zeros-added": "with more zeros",
  case: "in other letter case",
  whitespace: "with other white space",
  "fewer-decimals": "rounded",
  "more-decimals": "with more decimals",
} as const;

/** `× 0.001 for 2,310 rows` */
export const patternSaid = (pattern: Pattern): string => `${what(pattern)} for ${counted(pattern.rows, "row", "rows")}`;

function what(pattern: Pattern): string {
  switch (pattern.kind) {
    case "factor":
      return `× ${pattern.factor}`;
    case "offset":
      return `${pattern.offset > 0 ? "+" : "−"}${Math.abs(pattern.offset)}`;
    case "swapped":
      return `swapped with ${pattern.with}`;
    case "constant":
      return `always ${pattern.value}`;
    case "was-constant":
      return `no longer ${pattern.value}`;
    case "replaced":
      return `${pattern.from} → ${pattern.to}`;
    default:
      return spellings[pattern.kind];
  }
}
