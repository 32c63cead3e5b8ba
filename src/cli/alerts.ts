import type { AlertDeclarationsView, AlertDetailView, AlertView, NoticeView, SilenceView, TestedView } from "../api/index.ts";
import { alertDetail, alertList, channelList, noticeList, silenceLine, silenceList, testedList } from "./alert-text.ts";
import { UsageError, verb, type VerbContext } from "./verb.ts";

const ACTIONS = ["ls", "show", "ack", "silence", "silences", "unsilence", "test", "dead", "resend", "channels", "remove"] as const;
type Action = (typeof ACTIONS)[number];

export const alerts = verb({
  name: "alerts",
  help: `show what somebody should know of, and who was told

usage: evenkeel alerts [ls] [--endpoint <name>] [--all]
       evenkeel alerts show <alert>
       evenkeel alerts ack <alert> --reason <text>
       evenkeel alerts silence [<alert>] [--endpoint <name>] [--kind <kind>] [--guardrail <name>] --for <duration> --reason <text>
       evenkeel alerts silences
       evenkeel alerts unsilence <silence> --reason <text>
       evenkeel alerts test [<channel>]
       evenkeel alerts dead [<channel>]
       evenkeel alerts resend <notice>|all --reason <text>
       evenkeel alerts channels
       evenkeel alerts remove channel|alerts <name>

An alert is named by its id, by what it is about (incident/7), or by the number of an incident. Channels, and who is told of what, are
declared with evenkeel apply. A silence keeps people from being told, nothing else: guardrails act all the same.
Exits 3 while an alert is open, when a notice was given up, or when a tested channel isn't told.

examples:
  evenkeel alerts
  evenkeel alerts show 7
  evenkeel alerts ack 7 --reason "on it"
  evenkeel alerts silence --endpoint loans --kind drill --for 2h --reason "the model server moves"
  evenkeel alerts test on-call
  evenkeel alerts resend all --reason "the mail server is back"`,
  words: 3,
  options: {
    endpoint: { type: "string" },
    all: { type: "boolean" },
    reason: { type: "string" },
    for: { type: "string" },
    kind: { type: "string" },
    guardrail: { type: "string" },
  },
  async run({ positionals: [word = "ls", ...names], values }, context) {
    const action = ACTIONS.find((one) => one === word);
    if (!action) throw new UsageError(`alerts can be asked to ${ACTIONS.join(", ")}, not to "${word}"`);
    return handlers[action]({ names, ...values }, context);
  },
});

interface Asked {
  readonly names: readonly string[];
  readonly endpoint?: string;
  readonly all?: boolean;
  readonly reason?: string;
  readonly for?: string;
  readonly kind?: string;
  readonly guardrail?: string;
  readonly json?: boolean;
}
type Context = Pick<VerbContext, "client" | "io">;

/** The verb takes three words; most actions take two. */
function only(names: readonly string[], count: number): void {
  const extra = names.slice(count);
  if (extra.length > 0) throw new UsageError(`"${extra.join(" ")}" is too much`);
}
function nameIn(names: readonly string[], what: string): string {
  only(names, 1);
  const [name] = names;
  if (name === undefined) throw new UsageError(`which ${what}?`);
  return name;
}
function reasonIn(reason: string | undefined): string {
  if (reason === undefined) throw new UsageError('why? --reason "…"');
  return reason;
}
/** An incident's alert is named by its number as well. */
const aboutOf = (name: string): string => (/^\d+$/.test(name) ? `incident/${name}` : name);
const pathOf = (alert: string): string => `/v1/alerts/${encodeURIComponent(aboutOf(alert))}`;

const handlers: Readonly<Record<Action, (asked: Asked, context: Context) => Promise<number>>> = {
  async ls({ names, endpoint, all, json }, { client, io }) {
    only(names, 0);
    const { alerts: found } = await client().get<{ readonly alerts: readonly AlertView[] }>("/v1/alerts", {
      endpoint,
      ...(all ? { state: "all" } : {}),
    });
    io.out(json ? JSON.stringify(found) : alertList(io, found));
    return found.some(({ state }) => state === "open") ? 3 : 0;
  },
  async show({ names, json }, { client, io }) {
    const found = await client().get<AlertDetailView>(pathOf(nameIn(names, "alert")));
    io.out(json ? JSON.stringify(found) : alertDetail(io, found));
    return found.state === "open" ? 3 : 0;
  },
  async ack({ names, reason, json }, { client, io }) {
    const path = pathOf(nameIn(names, "alert"));
    const found = await client().post<AlertView>(`${path}/acknowledge`, { reason: reasonIn(reason) });
    io.out(json ? JSON.stringify(found) : `${found.about} is ${found.state}: nobody else is called, and it isn't repeated`);
    return 0;
  },
  async silence({ names, endpoint, kind, guardrail, for: duration, reason, json }, { client, io }) {
    only(names, 1);
    const [alert] = names;
    if (duration === undefined) throw new UsageError("for how long? --for 2h");
    const made = await client().post<SilenceView>("/v1/alert-silences", {
      ...(alert === undefined ? {} : { alert: aboutOf(alert) }),
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(kind === undefined ? {} : { kind }),
      ...(guardrail === undefined ? {} : { guardrail }),
      for: duration,
      reason: reasonIn(reason),
    });
    io.out(json ? JSON.stringify(made) : silenceLine(made));
    return 0;
  },
  async silences({ names, json }, { client, io }) {
    only(names, 0);
    const { silences } = await client().get<{ readonly silences: readonly SilenceView[] }>("/v1/alert-silences");
    io.out(json ? JSON.stringify(silences) : silenceList(io, silences));
    return 0;
  },
  async unsilence({ names, reason, json }, { client, io }) {
    const id = nameIn(names, "silence");
    const ended = await client().post<SilenceView>(`/v1/alert-silences/${encodeURIComponent(id)}/end`, { reason: reasonIn(reason) });
    io.out(json ? JSON.stringify(ended) : `silence ${ended.id} is over`);
    return 0;
  },
  async test({ names, json }, { client, io }) {
    only(names, 1);
    const [channel] = names;
    const { tested } = await client().post<{ readonly tested: readonly TestedView[] }>(
      "/v1/alert-tests",
      channel === undefined ? {} : { channel },
      { timeoutMs: TEST_MS },
    );
    io.out(json ? JSON.stringify(tested) : testedList(io, tested));
    return tested.every(({ isTold }) => isTold) ? 0 : 3;
  },
  async dead({ names, json }, { client, io }) {
    only(names, 1);
    const dead = await deadOf({ client, io }, names[0]);
    io.out(json ? JSON.stringify(dead) : noticeList(io, dead));
    return dead.length > 0 ? 3 : 0;
  },
  async resend({ names, reason, json }, { client, io }) {
    const name = nameIn(names, "notice");
    const why = reasonIn(reason);
    const ids = name === "all" ? (await deadOf({ client, io }, undefined)).map(({ id }) => id) : [name];
    const sent: NoticeView[] = [];
    for (const id of ids) sent.push(await client().post<NoticeView>(`/v1/alert-notices/${encodeURIComponent(id)}/resend`, { reason: why }));
    io.out(json ? JSON.stringify(sent) : sent.length === 0 ? "nothing was given up" : `on their way again: ${sent.length}`);
    return 0;
  },
  async channels({ names, json }, { client, io }) {
    only(names, 0);
    const declared = await client().get<AlertDeclarationsView>("/v1/alert-declarations");
    io.out(json ? JSON.stringify(declared) : channelList(io, declared));
    return declared.channels.some(({ dead }) => dead > 0) ? 3 : 0;
  },
  async remove({ names: [kind, name], json }, { client, io }) {
    if ((kind !== "channel" && kind !== "alerts") || name === undefined)
      throw new UsageError("what? evenkeel alerts remove channel|alerts <name>");
    await client().delete(`/v1/${kind === "channel" ? "alert-channels" : "alert-rules"}/${encodeURIComponent(name)}`);
    io.out(json ? JSON.stringify({ removed: name }) : `${kind} ${name} is removed`);
    return 0;
  },
};

/** Longer than the server waits for a channel. */
const TEST_MS = 60_000;

const deadOf = async ({ client }: Context, channel: string | undefined): Promise<readonly NoticeView[]> =>
  (await client().get<{ readonly notices: readonly NoticeView[] }>("/v1/alert-notices", { channel })).notices;
