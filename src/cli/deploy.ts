import type { ReleaseView, SwitchView } from "../api/index.ts";
import { isFile, readYaml } from "./files.ts";
import { percent } from "./format.ts";
import { LOADING, UsageError, verb } from "./verb.ts";

export const deploy = verb({
  name: "deploy",
  help: `make a release of an endpoint, and say where it answers

usage: evenkeel deploy <endpoint> --model <name/number|name@alias> --policy <file> [--features <name/number|file>] [--name <text>]
                       [--as <place>] [--reason <text>]
       evenkeel deploy <endpoint> --release <r12> --as <place> --reason <text>

places: shadow · canary:<percent> · live · none (the default: known, and nowhere)

The model is loaded and tried in a process of its own first; one that crashes, hangs or doesn't fit is refused.

examples:
  evenkeel deploy loans --model credit/1 --policy tour/policy.json --as shadow --reason "first look"
  evenkeel deploy loans --release r2 --as canary:5 --reason "shadow agrees"`,
  words: 1,
  options: {
    model: { type: "string" },
    policy: { type: "string" },
    features: { type: "string" },
    name: { type: "string" },
    release: { type: "string" },
    as: { type: "string" },
    reason: { type: "string" },
  },
  async run({ positionals: [endpoint], values }, { client, io, cwd }) {
    if (!endpoint) throw new UsageError("which endpoint?");
    const place = values.as === undefined ? { kind: "none" as const } : placeOf(values.as);
    if (!values.release && !(values.model && values.policy)) throw new UsageError("name a known --release, or a --model and a --policy");
    if (place.kind !== "none" && !values.reason) throw new UsageError("--reason is needed: it stands in the audit log");
    const path = `/v1/endpoints/${encodeURIComponent(endpoint)}`;
    const release = values.release
      ? await client().get<ReleaseView>(`${path}/releases/${encodeURIComponent(values.release)}`)
      : await client().post<ReleaseView>(
          `${path}/releases`,
          {
            model: values.model,
            policy: await readYaml(cwd, values.policy ?? ""),
            ...(values.features ? { features: isFile(values.features) ? await readYaml(cwd, values.features) : values.features } : {}),
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
            ...(place.kind === "canary" ? { share: place.share } : {}),
          });
    if (values.json) io.out(JSON.stringify({ release, switch: done }));
    else {
      io.out(
        `${release.release} (${release.name}, ${release.id.slice(0, 16)}…) ${place.kind === "none" ? "is known" : `is ${place.kind}${place.kind === "canary" ? ` for ${percent(place.share)}` : ""}`}`,
      );
      if (done) io.note(`generation ${done.route.generation}; undo: ${done.undo}`);
    }
    return 0;
  },
});

type Placement = { readonly kind: "none" | "shadow" | "live" } | { readonly kind: "canary"; readonly share: number };

function placeOf(text: string): Placement {
  if (text === "none" || text === "shadow" || text === "live") return { kind: text };
  const share = Number(/^canary:(\d+(?:\.\d+)?)%?$/.exec(text)?.[1]) / 100;
  if (share > 0 && share < 1) return { kind: "canary", share };
  throw new UsageError(`--as takes none, shadow, canary:<percent> or live, not "${text}"`);
}
