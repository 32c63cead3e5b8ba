/** What Slack, PagerDuty and Alertmanager are sent, in their own forms. Standard Webhooks are tested with the alerts themselves. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { BLIND, FACTS, OPENED_MS, entry, notice, partsFor } from "../../../../test/fixtures/notices.ts";
import { Receiver } from "../../../../test/fixtures/receiver.ts";
import { postableAlert } from "./alertmanager.ts";
import { openChannel } from "./open-channel.ts";
import { eventOf } from "./pagerduty.ts";
import { slackText } from "./slack.ts";
import { NotTold, type ChannelTarget } from "./target.ts";
import type { ChannelTargetSpec } from "../spec.ts";

let receiver: Receiver;
let opened: ChannelTarget[];
beforeEach(async () => {
  receiver = await new Receiver().listen();
  opened = [];
});
afterEach(async () => {
  for (const target of opened) await target.close();
  await receiver.close();
});

const KEY = "0123456789abcdef0123456789ABCDEF";
const never = new AbortController().signal;
const channel = (target: ChannelTargetSpec, secrets: Readonly<Record<string, string>> = {}) => {
  const made = openChannel({ kind: "channel", name: "on-call", target }, partsFor([receiver.port], secrets));
  opened.push(made);
  return made;
};
const bodies = () => receiver.taken.map(({ body }): unknown => JSON.parse(body));
const url = () => `http://127.0.0.1:${receiver.port}/x`;

test("Slack gets one text: a headline that is a link, and nothing that it would take for markup", async () => {
  const target = channel({ kind: "slack", secret: "chat" }, { chat: url() });
  await target.deliver(notice(), never);
  expect(bodies()).toEqual([{ text: slackText(notice(), BLIND) }]);
  const facts = { ...FACTS, blindTitle: "r2 <!channel> & <http://evil|click>" };
  const text = slackText(notice(entry({ facts })), BLIND);
  expect(text).toMatch(
    /^\*<https:\/\/evenkeel\.test\/incidents\/7\|\[error\] loans: r2 &lt;!channel&gt; &amp; &lt;http:\/\/evil\/click&gt;>\*\n/,
  );
  expect(text).not.toContain("<!channel>");
});

test("PagerDuty gets an event an alert, all of one alert under one key", async () => {
  const target = channel({ kind: "pagerduty", routing_key: "pager", url: url() }, { pager: KEY });
  await target.deliver(notice(entry(), entry({ alert: "another", key: "incident/8" })), never);
  await target.deliver(notice(entry({ news: "acknowledged" })), never);
  await target.deliver(notice(entry({ news: "resolved", resolvedAtMs: OPENED_MS + 1 })), never);
  const said = bodies().map((body) => body as { readonly event_action: string; readonly dedup_key: string });
  expect(said.map(({ event_action, dedup_key }) => [event_action, dedup_key])).toEqual([
    ["trigger", `evenkeel-${entry().alert}`],
    ["trigger", "evenkeel-another"],
    ["acknowledge", `evenkeel-${entry().alert}`],
    ["resolve", `evenkeel-${entry().alert}`],
  ]);
  expect(eventOf(entry(), KEY, BLIND)).toMatchObject({
    routing_key: KEY,
    client_url: "https://evenkeel.test/incidents/7",
    payload: {
      summary: "r2 turned down applicants of one group",
      source: "loans",
      severity: "error",
      timestamp: "2026-11-30T20:13:17.000Z",
      custom_details: { group: "one group", evidence: { evidence: 1240.4 } },
    },
  });
  receiver.mood = { status: 400 };
  await expect(target.deliver(notice(), never)).rejects.toMatchObject({ isFinal: true, message: "the receiver answered 400" });
  receiver.mood = { status: 429, headers: { "retry-after": "7" } };
  await expect(target.deliver(notice(), never)).rejects.toMatchObject({ isFinal: false, retryAfterMs: 7000 });
});

test("Alertmanager's labels stay the same through an alert's life, and what is open ends by itself in four minutes", () => {
  const began = postableAlert(entry(), BLIND, OPENED_MS);
  const changed = entry({
    news: "resolved",
    resolvedAtMs: OPENED_MS + 5000,
    facts: { ...FACTS, severity: "warning", title: "x", done: null },
  });
  const ended = postableAlert(changed, BLIND, OPENED_MS + 9000);
  expect(ended.labels).toEqual(began.labels);
  expect(began.labels).toEqual({
    alertname: "EvenkeelIncident",
    evenkeel_alert: entry().alert,
    severity: "critical",
    endpoint: "loans",
    release: "r2",
    guardrail: "parity",
  });
  expect([began.startsAt, began.endsAt, ended.endsAt]).toEqual([
    "2026-11-30T20:13:17.000Z",
    "2026-11-30T20:17:17.000Z",
    "2026-11-30T20:13:22.000Z",
  ]);
});

test("a private address that nobody allowed isn't called, whatever kind of channel names it", async () => {
  const other = await new Receiver().listen();
  const there = `http://127.0.0.1:${other.port}/x`;
  const targets: readonly ChannelTargetSpec[] = [
    { kind: "webhook", url: there, secrets: ["hook"] },
    { kind: "slack", secret: "chat" },
    { kind: "pagerduty", routing_key: "pager", url: there },
    { kind: "alertmanager", url: there },
    { kind: "email", host: "127.0.0.1", port: other.port, tls: "none", from: "a@b.test", to: ["c@d.test"] },
  ];
  const secrets = { hook: `whsec_${Buffer.alloc(24, 1).toString("base64")}`, chat: there, pager: KEY };
  try {
    for (const target of targets)
      await expect(channel(target, secrets).deliver(notice(), never), target.kind).rejects.toThrow("the server may not call this address");
    expect(other.seen).toEqual([]);
  } finally {
    await other.close();
  }
});

test("a secret that the server wasn't started with is named, and no error repeats one", async () => {
  await expect(channel({ kind: "slack", secret: "chat" }).deliver(notice(), never)).rejects.toThrow("EVENKEEL_SECRET_CHAT");
  receiver.mood = "drops";
  const secret = `${url()}/T0/B0/thesecret`;
  const failed: unknown = await channel({ kind: "slack", secret: "chat" }, { chat: secret })
    .deliver(notice(), never)
    .catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(NotTold);
  expect(String(failed)).not.toContain("thesecret");
});
