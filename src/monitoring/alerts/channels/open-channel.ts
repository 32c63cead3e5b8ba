import { unreachable } from "../../../std.ts";
import type { ChannelSpec } from "../spec.ts";
import { Alertmanager } from "./alertmanager.ts";
import { Email } from "./email.ts";
import { Pagerduty } from "./pagerduty.ts";
import { Slack } from "./slack.ts";
import type { ChannelParts, ChannelTarget } from "./target.ts";
import { Webhook } from "./webhook.ts";

/** Makes ready what a channel delivers to; nothing is connected yet. */
export function openChannel({ target }: ChannelSpec, parts: ChannelParts): ChannelTarget {
  switch (target.kind) {
    case "webhook":
      return new Webhook(target, parts);
    case "slack":
      return new Slack(target, parts);
    case "email":
      return new Email(target, parts);
    case "pagerduty":
      return new Pagerduty(target, parts);
    case "alertmanager":
      return new Alertmanager(target, parts);
    default:
      return unreachable(target);
  }
}

/** Who can use it is told that somebody has acknowledged; in a chat or by mail it would be one more message. */
export const wantsAcks = ({ target }: ChannelSpec): boolean => target.kind === "pagerduty" || target.kind === "webhook";
