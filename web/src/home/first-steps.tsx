import { Command } from "../ui/command.tsx";
import css from "./first-steps.module.css";

/** What a server shows that has no endpoint yet: how it gets one. */
export function FirstSteps() {
  return (
    <section className={css.steps} aria-labelledby="none">
      <h2 id="none">No endpoint yet</h2>
      <p>An endpoint is a kind of decision that an application asks for. A few commands make one and let it answer.</p>
      <ol>
        <li>
          <h3>Declare it, with its rule and its guardrails</h3>
          <Command>evenkeel apply -f loans.yaml</Command>
        </li>
        <li>
          <h3>Ask it for a decision, as your application will</h3>
          <Command>{`TOKEN=$(evenkeel token create --name "loans web" --role application --endpoint loans)`}</Command>
          <Command>evenkeel decide loans --token $TOKEN --file application.json</Command>
        </li>
        <li>
          <h3>Put a model in the shadow of the rule</h3>
          <Command>{`evenkeel deploy loans --model credit/1 --policy policy.json --as shadow --reason "first model"`}</Command>
        </li>
      </ol>
      <p>Or watch the whole story on real data, in two minutes:</p>
      <Command>npm run demo -- --keep</Command>
    </section>
  );
}
