import { Command, FileText } from "../ui/command.tsx";
import css from "./first-steps.module.css";

/** The smallest endpoint that is watched: as it stands, `evenkeel apply` takes it. */
const SAMPLE = `kind: endpoint
name: loans
description: Loan applications
inputs:
  income: { type: number, min: 0 }
groups:
  education: [university, high_school]
actions:
  approve: { favourable: true }
  refer: { favourable: false }
guardrails:
  - name: approval-parity
    metric: adverse_impact_ratio
    groups: all
    limit: 0.8
    action: roll_back
fallback:
  name: income rule
  scorer:
    kind: rules
    rules:
      - { when: income >= 30000, score: 1 }
    otherwise: { score: 0 }
  policy:
    bands:
      - { action: approve, from: 0.5 }
      - { action: refer, from: 0 }
`;

/** What a server shows that has no endpoint yet: how it gets one. */
export function FirstSteps() {
  return (
    <section className={css.steps} aria-labelledby="none">
      <h2 id="none">No endpoint yet</h2>
      <p>
        An endpoint is a kind of decision that an application asks for: its inputs, the groups it is watched for, and a rule that always
        answers.
      </p>
      <ol>
        <li>
          <h3>Declare one, in a file like this</h3>
          <FileText name="loans.yaml">{SAMPLE}</FileText>
          <Command>evenkeel apply -f loans.yaml</Command>
        </li>
        <li>
          <h3>Let an application ask it, with a token of its own</h3>
          <Command>{`evenkeel token create --name "loans web" --role application --endpoint loans`}</Command>
          <Command>{`evenkeel decide loans --url ${location.origin} --token ek_application_… --input income=32000 --group education=university`}</Command>
        </li>
        <li>
          <h3>Put a model in the shadow of the rule</h3>
          <Command>evenkeel models register model.onnx --name credit</Command>
          <Command>{`evenkeel deploy loans --model credit/1 --policy policy.json --as shadow --reason "first look"`}</Command>
        </li>
      </ol>
      <p>Or watch the whole story on real data, in a checkout of Evenkeel; it takes about a minute:</p>
      <Command>npm run demo -- --keep</Command>
    </section>
  );
}
