import { useSyncExternalStore } from "react";
import { timesOf } from "../format.ts";
import type { Live, LiveFeed } from "../live-feed.ts";
import { Notice } from "../ui/notice.tsx";
import { unreachable } from "../words.ts";
import css from "./live-dot.module.css";

const useLive = (feed: LiveFeed): Live => useSyncExternalStore(feed.subscribe, feed.current);

/** Filled and the clock: fresh. A ring: not. The clock is the server's. */
export function LiveDot({ feed, tell }: { feed: LiveFeed; tell: "word" | "clock" }) {
  const live = useLive(feed);
  return (
    <span className={css.live}>
      <i className={live.kind === "fresh" ? css.fresh : css.stale} />
      {tell === "word" ? wordOf(live) : clockOf(live)}
    </span>
  );
}

function wordOf(live: Live): string {
  switch (live.kind) {
    case "fresh":
      return "Live";
    case "stale":
      return "Not live";
    case "connecting":
      return "Connecting";
    default:
      return unreachable(live);
  }
}

function clockOf(live: Live): string {
  if (live.kind === "connecting") return "Connecting";
  const at = live.kind === "fresh" ? live.nowMs : live.sinceMs;
  const times = timesOf({ nowMs: at, zone: live.zone });
  return live.kind === "fresh" ? `${times.clock(at)} ${times.zone}` : `Not live since ${times.clock(at)}`;
}

/** Stale data stays; this says from when it is. */
export function StaleNotice({ feed }: { feed: LiveFeed }) {
  const live = useLive(feed);
  if (live.kind !== "stale") return null;
  const times = timesOf({ nowMs: live.sinceMs, zone: live.zone });
  return (
    <div className={css.notice}>
      <Notice tone="watch">
        <b>
          Not live since {times.clock(live.sinceMs)} {times.zone}.
        </b>{" "}
        Trying again every 5 s. What you see is from then.
      </Notice>
    </div>
  );
}
