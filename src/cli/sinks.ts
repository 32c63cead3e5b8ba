import type { SinkDetailView, SinkView } from "../api/index.ts";
import { moment, plural } from "./format.ts";
import { styled, table, type Io } from "./io.ts";
import { UsageError, verb, type VerbContext } from "./verb.ts";

const ACTIONS = ["show", "pause", "resume", "remove"] as const;

export const sinks = verb({
  name: "sinks",
  help: `show where decisions are delivered, and how far that has come

usage: evenkeel sinks
       evenkeel sinks show <name>
       evenkeel sinks pause|resume <name> --reason <text>
       evenkeel sinks remove <name>

Sinks are declared with evenkeel apply. One that is paused keeps its place and catches up. Exits 3 when a sink fails, or was disabled
by its target.

examples:
  evenkeel sinks
  evenkeel sinks show archive --json
  evenkeel sinks pause archive --reason "the disk is being moved"`,
  words: 2,
  options: { reason: { type: "string" } },
  async run({ positionals: [word, name], values }, { client, io }) {
    if (word === undefined) {
      const all = (await client().get<{ readonly sinks: readonly SinkView[] }>("/v1/sinks")).sinks;
      io.out(values.json ? JSON.stringify(all) : list(io, all));
      return all.some(needsPerson) ? 3 : 0;
    }
    const action = ACTIONS.find((one) => one === word);
    if (!action) throw new UsageError(`sinks can be asked to ${ACTIONS.join(", ")}, not to "${word}"`);
    if (name === undefined) throw new UsageError(`which sink? evenkeel sinks ${action} <name>`);
    return act({ action, name, reason: values.reason, asJson: values.json ?? false }, { client, io });
  },
});

interface Asked {
  readonly action: (typeof ACTIONS)[number];
  readonly name: string;
  readonly reason: string | undefined;
  readonly asJson: boolean;
}

async function act({ action, name, reason, asJson }: Asked, { client, io }: Pick<VerbContext, "client" | "io">): Promise<number> {
  const path = `/v1/sinks/${encodeURIComponent(name)}`;
  if (action === "show") {
    const sink = await client().get<SinkDetailView>(path);
    io.out(asJson ? JSON.stringify(sink) : detail(io, sink));
    return needsPerson(sink) ? 3 : 0;
  }
  if (action === "remove") {
    await client().delete(path);
    io.out(asJson ? JSON.stringify({ removed: name }) : `${name} is removed; what it has delivered stays where it is`);
    return 0;
  }
  if (reason === undefined) throw new UsageError('why? --reason "…"');
  const sink = await client().post<SinkView>(`${path}/${action}`, { reason });
  io.out(asJson ? JSON.stringify(sink) : `${name} is ${sink.state}; ${waits(sink)}`);
  return 0;
}

const needsPerson = ({ state, lastError }: SinkView) => state === "disabled" || (state === "running" && lastError !== null);

const waits = ({ lag }: SinkView) =>
  `${plural(lag.decisions, "decision")} and ${plural(lag.outcomes, "outcome")} wait${lag.seconds === 0 ? "" : `, the oldest for ${Math.round(lag.seconds)} s`}`;

function stateOf(io: Io, sink: SinkView): string {
  if (sink.state === "disabled") return styled(io, "red", "disabled");
  if (sink.state === "paused") return styled(io, "yellow", "paused");
  return sink.lastError === null ? styled(io, "green", "running") : styled(io, "red", "failing");
}

const list = (io: Io, all: readonly SinkView[]) =>
  table(
    io,
    ["sink", "kind", "endpoints", "state", "delivered", "lag", "seconds", "failures", "last error"],
    all.map((sink) => [
      sink.name,
      sink.kind,
      sink.endpoints?.join(", ") ?? "all",
      stateOf(io, sink),
      sink.delivered.decisions + sink.delivered.outcomes,
      sink.lag.decisions + sink.lag.outcomes,
      Math.round(sink.lag.seconds),
      sink.failures,
      sink.why ?? sink.lastError,
    ]),
    "no sink yet: evenkeel apply -f <file>",
  );

function detail(io: Io, sink: SinkDetailView): string {
  const { delivered, include, spec } = sink;
  return [
    `${styled(io, "bold", sink.name)}  ${stateOf(io, sink)}`,
    ...(sink.why === null ? [] : [`why: ${sink.why}`]),
    `to: ${Object.entries(spec.target)
      .map(([key, value]) => `${key} ${Array.isArray(value) ? value.join(", ") : String(value)}`)
      .join(", ")}`,
    `endpoints: ${sink.endpoints?.join(", ") ?? "all"}; of people: ${include.join(", ") || "nothing"}`,
    `delivered: ${plural(delivered.decisions, "decision")}, ${plural(delivered.outcomes, "outcome")}; last ${sink.lastSuccessAt === null ? "never" : moment(sink.lastSuccessAt)}`,
    `lag: ${waits(sink)}`,
    `failures: ${sink.failures}${sink.lastErrorAt === null ? "" : `, last ${moment(sink.lastErrorAt)}`}`,
    ...(sink.lastError === null ? [] : [styled(io, "red", sink.lastError)]),
  ].join("\n");
}
