import type { RouteTableView, SwitchView } from "../api/index.ts";
import { milliseconds } from "./format.ts";
import { styled, type Io } from "./io.ts";
import { showPreview } from "./rollout.ts";
import { UsageError, verb } from "./verb.ts";

const path = (endpoint: string, act: string) => `/v1/endpoints/${encodeURIComponent(endpoint)}/${act}`;

function tell(io: Io, { route, switchedMs, undo }: SwitchView, isJson: boolean | undefined, done: SwitchView): void {
  if (isJson) return io.out(JSON.stringify(done));
  io.out(`${styled(io, "bold", route.live)} live since ${route.liveSince}, ${milliseconds(switchedMs)}, generation ${route.generation}`);
  io.note(`undo: ${undo}`);
}

export const promote = verb({
  name: "promote",
  help: `make a release live

usage: evenkeel promote <endpoint> <release> --reason <text>

The release that was live becomes the standby, loaded and ready to be put back.

example:
  evenkeel promote loans r2 --reason "canary holds after 2,000 decisions"`,
  words: 2,
  options: { reason: { type: "string" } },
  async run({ positionals: [endpoint, release], values }, { client, io }) {
    if (!endpoint || !release || !values.reason) throw new UsageError("an endpoint, a release and --reason are needed");
    const done = await client().post<SwitchView>(path(endpoint, "promote"), { release, reason: values.reason });
    tell(io, done, values.json, done);
    return 0;
  },
});

export const rollback = verb({
  name: "rollback",
  help: `put the last good release, or the fallback, back

usage: evenkeel rollback <endpoint> --reason <text> [--to <release>] [--keep]
       evenkeel rollback <endpoint> --dry-run [--to <release>]

The release that is taken out is condemned: it gets no traffic until somebody reinstates it by name. --keep doesn't condemn it.
--dry-run says whose answer would change, group by group, and changes nothing.

examples:
  evenkeel rollback loans --dry-run
  evenkeel rollback loans --reason "complaints from applicants with high school education"
  evenkeel rollback loans --to r1 --reason "model server unreliable" --keep`,
  words: 1,
  options: { reason: { type: "string" }, to: { type: "string" }, keep: { type: "boolean" }, "dry-run": { type: "boolean" } },
  async run({ positionals: [endpoint], values }, { client, io }) {
    if (endpoint && values["dry-run"])
      return await showPreview(client(), io, { endpoint, isJson: values.json ?? false, ...(values.to ? { to: values.to } : {}) });
    if (!endpoint || !values.reason) throw new UsageError("an endpoint and --reason are needed");
    const done = await client().post<SwitchView>(path(endpoint, "rollback"), {
      reason: values.reason,
      condemn: !values.keep,
      ...(values.to ? { to: values.to } : {}),
    });
    tell(io, done, values.json, done);
    return 0;
  },
});

export const release = verb({
  name: "release",
  help: `take a release out of its place, reinstate a condemned one, or let automatic rollouts go on

usage: evenkeel release stop <endpoint> <release> --reason <text>        end its shadow or canary
       evenkeel release reinstate <endpoint> <release> --reason <text>   let a condemned release serve again
       evenkeel release resume <endpoint> --reason <text>                automatic rollouts may go on

example:
  evenkeel release reinstate loans r2 --reason "the data were right, the guardrail's groups were not; see ticket 7"`,
  words: 3,
  options: { reason: { type: "string" } },
  async run({ positionals: [act, endpoint, name], values }, { client, io }) {
    if (!act || !["stop", "reinstate", "resume"].includes(act)) throw new UsageError("release can stop, reinstate or resume");
    if (!endpoint || !values.reason || (act !== "resume" && !name))
      throw new UsageError(`${act} needs an endpoint${act === "resume" ? "" : ", a release"} and --reason`);
    const done = await client().post<SwitchView>(path(endpoint, act), { reason: values.reason, ...(name ? { release: name } : {}) });
    if (values.json) io.out(JSON.stringify(done));
    else io.out(told(act, name, done.route));
    return 0;
  },
});

const told = (act: string, name: string | undefined, route: RouteTableView): string =>
  act === "resume"
    ? `automatic rollouts of ${route.endpoint} may go on`
    : act === "stop"
      ? `${name ?? ""} answers nobody any more`
      : `${name ?? ""} may serve again; it starts with a new error budget`;
