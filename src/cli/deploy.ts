import type { ReleaseView, SwitchView } from "../api/index.ts";
import { isFile, readYaml } from "./files.ts";
import { percent } from "./format.ts";
import { isModelPath } from "./model-files.ts";
import { registerModel } from "./models.ts";
import { LOADING, UsageError, verb } from "./verb.ts";

export const deploy = verb({
  name: "deploy",
  help: `make a release of an endpoint, and say where it answers

usage: evenkeel deploy <endpoint> --model <name/number|name@alias|path> --policy <file> [--features <name/number|file>]
                       [--onnx <file>] [--name <text>] [--as <place>] [--when <condition>] [--reason <text>]
       evenkeel deploy <endpoint> --release <r12> --as <place> [--when <condition>] --reason <text>

places: shadow · shadow:<percent> · canary:<percent> · live · none (the default: known, and nowhere)

--when limits a canary to those for whom a CEL condition over the inputs holds; the percentage is of them. It is blind to groups.

--model takes a file or folder too (./folder, model.onnx): it is registered under the endpoint's name first. --onnx says how the model is
asked and run (YAML or JSON: class, output, column, threads, batch, examples).
The model is loaded and tried in a process of its own first; one that crashes, hangs or doesn't fit is refused.

examples:
  evenkeel deploy loans --model credit/1 --policy tour/policy.json --as shadow --reason "first look"
  evenkeel deploy loans --model ./folder --policy tour/policy.json --features tour/feature-set.json
  evenkeel deploy loans --release r2 --as canary:5 --reason "shadow agrees"
  evenkeel deploy loans --release r2 --as canary:20 --when "amount < 5000" --reason "small loans first"`,
  words: 1,
  options: {
    model: { type: "string" },
    policy: { type: "string" },
    features: { type: "string" },
    onnx: { type: "string" },
    name: { type: "string" },
    release: { type: "string" },
    as: { type: "string" },
    when: { type: "string" },
    reason: { type: "string" },
  },
  async run({ positionals: [endpoint], values }, { client, io, cwd }) {
    if (!endpoint) throw new UsageError("which endpoint?");
    const place = values.as === undefined ? { kind: "none" as const } : placeOf(values.as);
    if (!values.release && !(values.model && values.policy)) throw new UsageError("name a known --release, or a --model and a --policy");
    if (place.kind !== "none" && !values.reason) throw new UsageError("--reason is needed: it stands in the audit log");
    if (values.when !== undefined && place.kind !== "canary") throw new UsageError("--when is for --as canary:<percent>");
    const path = `/v1/endpoints/${encodeURIComponent(endpoint)}`;
    const registered =
      values.release === undefined && values.model !== undefined && isModelPath(values.model)
        ? await registerModel(client(), cwd, { model: values.model, name: endpoint, features: values.features })
        : undefined;
    if (registered) io.note(`${values.model} is ${registered.model}/${registered.number}`);
    const release = values.release
      ? await client().get<ReleaseView>(`${path}/releases/${encodeURIComponent(values.release)}`)
      : await client().post<ReleaseView>(
          `${path}/releases`,
          {
            model: registered ? `${registered.model}/${registered.number}` : values.model,
            policy: await readYaml(cwd, values.policy ?? ""),
            ...(values.onnx ? { onnx: await readYaml(cwd, values.onnx) } : {}),
            ...(values.features && !registered
              ? { features: isFile(values.features) ? await readYaml(cwd, values.features) : values.features }
              : {}),
            ...(values.name ? { name: values.name } : {}),
          },
          LOADING,
        );
    const reason = values.reason ?? "";
    const done =
      place.kind === "none"
        ? null
        : await client().post<SwitchView>(`${path}/${place.kind === "live" ? "promote" : place.kind}`, {
            release: release.release,
            reason,
            ...(place.share === undefined ? {} : { share: place.share }),
            ...(values.when === undefined ? {} : { when: values.when }),
          });
    if (values.json) io.out(JSON.stringify({ release, switch: done }));
    else {
      io.out(
        `${release.release} (${release.name}, ${release.id.slice(0, 16)}…) ${place.kind === "none" ? "is known" : `is ${place.kind}${place.share === undefined ? "" : ` for ${percent(place.share)}`}`}${values.when === undefined ? "" : ` where ${values.when}`}`,
      );
      if (done) io.note(`generation ${done.route.generation}; undo: ${done.undo}`);
    }
    return 0;
  },
});

interface Placement {
  readonly kind: "none" | "shadow" | "canary" | "live";
  /** Of the people; undefined: all, or none. */
  readonly share?: number;
}

function placeOf(text: string): Placement {
  if (text === "none" || text === "shadow" || text === "live") return { kind: text };
  const [, kind, percents] = /^(canary|shadow):(\d+(?:\.\d+)?)%?$/.exec(text) ?? [];
  const share = Number(percents) / 100;
  if (share > 0 && share < 1 && (kind === "canary" || kind === "shadow")) return { kind, share };
  throw new UsageError(`--as takes none, shadow, shadow:<percent>, canary:<percent> or live, not "${text}"`);
}
