/** Whether people are told: notices that wait for a channel, and those that it never took. */
import type { Alerts } from "../../monitoring/index.ts";
import type { Collected } from "./families.ts";

export async function told({ alerts }: { readonly alerts: Pick<Alerts, "channels"> }): Promise<Pick<Collected, "evenkeel_alert_notices">> {
  const channels = await alerts.channels();
  return {
    evenkeel_alert_notices: channels.flatMap(({ spec: { name: channel }, pending, dead }) => [
      { labels: { channel, state: "pending" }, value: pending },
      { labels: { channel, state: "dead" }, value: dead },
    ]),
  };
}
