import { evaluateCase, parseCases, type CaseResult } from "../monitoring/index.ts";
import { brokenText, readJson, readStandardInput } from "./files.ts";
import { delayPlan, delayPlanText, parseDelayQuestion, type DelayWords } from "./guardrail-plan.ts";
import { showGuardrails } from "./guardrail-show.ts";
import { UsageError, verb, type VerbContext } from "./verb.ts";

const HELP = `see how guardrails stand and who feeds them; check a proof, ask how long one takes, see how they would have done

usage: evenkeel guardrail show <endpoint>
       evenkeel guardrail evaluate [--file <json>] < cases.json
       evenkeel guardrail plan --limit <l> --rate <r> --harm <h> [--share <s>] [--alpha <a>] [--tests <n>] [--kind <kind>] [--within <decisions>]
                               [--dependence <m>] [--runs <n>] [--look <n>] [--seed <n>]
       evenkeel guardrail simulate <endpoint> [--file <yaml>] [--release <r12>] [--from <time>] [--to <time>]

show      every test with its evidence and what is needed, pooled beside like for like, warnings, whose group isn't known, and who sends
          the decisions. Exits 3 when one is breached.
evaluate  feeds the blocks of each case to the sequential test and prints its evidence. A case is
          {"id","fn":"v1","kind","limit","options"?:{"dependence","prior","priorN"},"blocks":[{"n":[..],"k":[..],"times"?}],"alpha"?} or
          {"id","fn":"buckets","edges","limit","harm":"up"|"down","blocks":[{"count":[..],"sum":[..],"times"?}],"alpha"?}.
          Prints an array with id, logE after each entry, maxLogE, nextPivot (null for buckets), and for a case with alpha its verdict and
          band (null: no upper end). Needs no server.
plan      how many decisions (of both sides) a proof takes: by the bound that no test can beat, and by simulation. Needs no server.
          --rate      of the reference; of a single group for rate_min and rate_max
          --harm      what really is: the ratio; how far the group is behind, or further behind than before (diff_min, did_min); or the rate
          --share     of the decisions that are the group's (default 0.5)
          --tests     groups and guardrails that share the budget: each gets nine tenths of alpha over this (1: all of alpha)
          --kind      ratio_min (the default), diff_min, did_min, rate_min, rate_max
          --within    tells how small a group can be guarded within so many decisions (default 100,000)
simulate  how an endpoint's guardrails (or those of a file that declares an endpoint) would have done on its recorded decisions, a block
          for each minute: which would have been proven, when, and after how many decisions. Asks the server, or reads a data folder
          (--data) on which none runs. Changes nothing.

examples:
  evenkeel guardrail show loans
  echo '[{"id":"mine","fn":"v1","kind":"ratio_min","limit":0.8,"blocks":[{"n":[40,160],"k":[14,112]}],"alpha":0.01}]' | evenkeel guardrail evaluate
  evenkeel guardrail plan --limit 0.8 --rate 0.7 --harm 0.6 --share 0.1 --tests 12
  evenkeel guardrail simulate loans --file loans.yaml --json`;

export const guardrail = verb({
  name: "guardrail",
  help: HELP,
  words: 2,
  options: {
    file: { type: "string" },
    kind: { type: "string" },
    limit: { type: "string" },
    rate: { type: "string" },
    harm: { type: "string" },
    share: { type: "string" },
    alpha: { type: "string" },
    tests: { type: "string" },
    within: { type: "string" },
    dependence: { type: "string" },
    runs: { type: "string" },
    look: { type: "string" },
    seed: { type: "string" },
    release: { type: "string" },
    from: { type: "string" },
    to: { type: "string" },
  },
  async run({ positionals: [act, endpoint], values }, context) {
    switch (act) {
      case "evaluate":
        if (endpoint !== undefined) throw new UsageError(`"${endpoint}" is too much: evaluate reads cases from standard input`);
        return evaluate(context, values.file);
      case "plan":
        if (endpoint !== undefined) throw new UsageError(`"${endpoint}" is too much: plan takes options`);
        return plan(context, values);
      case "show":
        if (endpoint === undefined) throw new UsageError("which endpoint?");
        return showGuardrails(context, endpoint, values.json);
      case "simulate":
        if (endpoint === undefined) throw new UsageError("which endpoint?");
        // Brings what reads a folder along, which the others need not wait for.
        return (await import("./guardrail-simulate.ts")).simulate(context, endpoint, values);
      case undefined:
        throw new UsageError("show, evaluate, plan or simulate?");
      default:
        throw new UsageError(`guardrail takes show, evaluate, plan or simulate, not "${act}"`);
    }
  },
});

async function evaluate({ io, cwd }: VerbContext, file: string | undefined): Promise<number> {
  const value = file === undefined ? await readStandardInput() : await readJson(cwd, file);
  const cases = parseCases(value);
  if (!cases.ok) {
    io.note(brokenText("these cases can't be evaluated:", cases.error));
    return 1;
  }
  const results: CaseResult[] = [];
  for (const [i, one] of cases.value.entries()) {
    io.progress(one.id, i, cases.value.length);
    results.push(evaluateCase(one));
  }
  io.progress(undefined);
  io.out(JSON.stringify(results));
  return 0;
}

function plan({ io }: VerbContext, words: DelayWords & { readonly json?: boolean | undefined }): number {
  const question = parseDelayQuestion(words);
  io.progress(`simulating ${question.runs} times`);
  const answer = delayPlan(question);
  io.progress(undefined);
  if (words.json) io.out(JSON.stringify(answer));
  else io.out(delayPlanText(io, answer));
  return 0;
}
