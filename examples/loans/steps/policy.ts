/** threshold: from which chance of repayment on a loan is approved, and from which on a person looks at it. */
import { writeFileSync } from "node:fs";
import { StepRefusal, argumentsOf, numbersIn, paramsOf, runAsProcess } from "../step.ts";

const SCORE = { min: 0, max: 1 } as const;

export async function main(argv: readonly string[], cwd: string): Promise<void> {
  const { params, policy } = argumentsOf(argv, cwd, ["params", "policy"]);
  const { approveFrom, referFrom } = numbersIn(paramsOf(params, "policy"), { approveFrom: SCORE, referFrom: SCORE }, "the policy");
  if (!(0 < referFrom && referFrom < approveFrom)) throw new StepRefusal("the policy: expected 0 < referFrom < approveFrom");
  const bands = [
    { action: "deny", from: 0, to: referFrom, reason: "The chance that the loan is repaid is too low" },
    { action: "refer", from: referFrom, to: approveFrom, reason: "A credit analyst will look at the application" },
    { action: "approve", from: approveFrom, to: 1 },
  ];
  writeFileSync(policy, `${JSON.stringify({ bands }, null, 2)}\n`);
}

await runAsProcess(import.meta.url, main);
