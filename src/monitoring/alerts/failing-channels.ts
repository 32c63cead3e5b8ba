/** Channels that don't take what they are sent: somebody must hear of it by another one. Pure. */
import { ABOUT_NOTHING, type Condition } from "./alert.ts";
import type { ChannelSpec } from "./spec.ts";
import type { NoticeHead } from "./stored-notices.ts";
import { channelKey } from "./tell.ts";

/** Alerts that don't arrive for so long are worth an alert by another channel. */
const FAILING_AFTER_MS = 15 * 60_000;
/** A notice that was given up is told of for so long. */
export const DEAD_FOR_MS = 24 * 3_600_000;

/** @param notices - that wait or were given up */
export function failingChannels(channels: readonly ChannelSpec[], notices: readonly NoticeHead[], nowMs: number): readonly Condition[] {
  const failing = new Set(notices.filter((notice) => isFailing(notice, nowMs)).map(({ channel }) => channel));
  return channels
    .filter(({ name }) => failing.has(name))
    .map(({ name }): Condition => {
      const title = `alerts don't arrive at the channel ${name}`;
      const facts = { ...ABOUT_NOTHING, severity: "error", title, blindTitle: title, command: "evenkeel alerts dead" } as const;
      return { key: channelKey(name), kind: "channel", facts };
    });
}

function isFailing({ state, attempts, createdAtMs, settledAtMs }: NoticeHead, nowMs: number): boolean {
  if (state === "dead") return nowMs - (settledAtMs ?? 0) < DEAD_FOR_MS;
  return state === "pending" && attempts > 0 && nowMs - createdAtMs >= FAILING_AFTER_MS;
}
