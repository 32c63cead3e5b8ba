import type { DecisionReplyView } from "../api/index.ts";
import { readJson } from "./files.ts";
import { UsageError, verb } from "./verb.ts";

export const decide = verb({
  name: "decide",
  help: `ask an endpoint for one decision

usage: evenkeel decide <endpoint> (--file <json> | --input <name=value>… [--group <name=value>…] [--subject <id>]) [--key <idempotency key>] [--release <r12>] [--reasons]

Needs an application's token: whoever administers can't move the tallies that guardrails read. With --release (r12, or live, canary,
standby, fallback) one loaded release is tried, whatever the route table says: operators may, and it is evidence for nothing.
With --reasons the answer says what moved a model's score most, if that is found in time; \`evenkeel reasons\` tells more.

examples:
  TOKEN=$(evenkeel token create --name "loans web" --role application --endpoint loans)
  evenkeel decide loans --token $TOKEN --file examples/loans/application.json
  evenkeel decide credit --token $TOKEN --subject client-7 --input income=32000 --input months=24 --group sex=female`,
  words: 1,
  options: {
    file: { type: "string" },
    input: { type: "string", multiple: true },
    group: { type: "string", multiple: true },
    subject: { type: "string" },
    key: { type: "string" },
    release: { type: "string" },
    reasons: { type: "boolean" },
  },
  async run({ positionals: [endpoint], values }, { client, io, cwd }) {
    if (!endpoint) throw new UsageError("which endpoint?");
    const body: unknown = values.file
      ? await readJson(cwd, values.file)
      : {
          ...(values.subject ? { subject: values.subject } : {}),
          inputs: pairs(values.input ?? [], valueOf),
          groups: pairs(values.group ?? [], (text) => text),
        };
    const reply = await client().post<DecisionReplyView>(`/v1/endpoints/${encodeURIComponent(endpoint)}/decisions`, body, {
      headers: {
        ...(values.key ? { "idempotency-key": values.key } : {}),
        ...(values.release ? { "evenkeel-release": values.release } : {}),
      },
      ...(values.reasons ? { query: { reasons: true } } : {}),
    });
    if (values.json) io.out(JSON.stringify(reply));
    else {
      io.out(
        `${reply.action}  score ${reply.score === null ? "–" : reply.score.toFixed(3)}  by ${reply.release} (${reply.route})  ${reply.id}`,
      );
      for (const reason of reply.reasons) io.out(`  ${reason}`);
      const { explanation } = reply;
      for (const { code, text } of explanation?.reasons?.reasons ?? []) if (code !== null) io.out(`  ${code}  ${text}`);
      if (explanation && explanation.why !== null) io.note(`no reasons of the model yet: ${explanation.why}`);
    }
    return 0;
  },
});

function pairs<T>(texts: readonly string[], read: (text: string) => T): Record<string, T> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf("=");
      if (at < 1) throw new UsageError(`expected name=value, got "${text}"`);
      return [text.slice(0, at), read(text.slice(at + 1))];
    }),
  );
}

const valueOf = (text: string): number | string | boolean =>
  text === "true" ? true : text === "false" ? false : /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? Number(text) : text;
