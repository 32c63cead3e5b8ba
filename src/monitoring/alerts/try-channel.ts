/** A message that says it is a test, and what came of it. */
import { asError } from "../../std.ts";
import type { Runtime } from "../../store/index.ts";
import { ABOUT_NOTHING, type Notice } from "./alert.ts";
import type { ChannelTarget } from "./channels/target.ts";
import type { ChannelSpec } from "./spec.ts";

export interface Tested {
  readonly channel: string;
  readonly kind: ChannelSpec["target"]["kind"];
  /** Why it wasn't told; null where it was. */
  readonly why: string | null;
  /** What a person should know though it was told. */
  readonly note: string | null;
  readonly ms: number;
}

/** Longer than a channel tries once or twice, so that it is the channel that says what is wrong. */
const WITHIN_MS = 25_000;

/** @param target - closed afterwards */
export async function tryChannel(
  { name, target: { kind } }: ChannelSpec,
  target: ChannelTarget,
  { clock, ids }: Pick<Runtime, "clock" | "ids">,
): Promise<Tested> {
  const startedUs = clock.monotonicUs();
  const tested = (why: string | null, note: string | null): Tested => ({
    channel: name,
    kind,
    why,
    note,
    ms: (clock.monotonicUs() - startedUs) / 1000,
  });
  try {
    const within = AbortSignal.timeout(WITHIN_MS);
    const opened = testNotice(name, ids.next(), clock.nowMs());
    const note = await target.deliver(opened, within);
    // Those who keep open what they are told must not keep a test.
    if (kind === "pagerduty" || kind === "alertmanager") await target.deliver(ended(opened, clock.nowMs()), within);
    return tested(null, note);
  } catch (error) {
    return tested(asError(error).message, null);
  } finally {
    await target.close();
  }
}

function testNotice(channel: string, id: string, nowMs: number): Notice {
  const title = `this is a test of the channel ${channel}: nothing has happened`;
  const facts = { ...ABOUT_NOTHING, severity: "warning", title, blindTitle: title, command: "evenkeel alerts" } as const;
  const entry = { alert: `test-${id}`, key: `test/${id}`, kind: "channel", news: "opened", openedAs: "warning" } as const;
  return {
    id: `msg_${id}`,
    channel,
    endpoint: null,
    createdAtMs: nowMs,
    entries: [{ ...entry, openedAtMs: nowMs, resolvedAtMs: null, facts }],
  };
}

const ended = (notice: Notice, nowMs: number): Notice => ({
  ...notice,
  entries: notice.entries.map((entry) => ({ ...entry, news: "resolved", resolvedAtMs: nowMs })),
});
