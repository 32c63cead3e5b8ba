/** Grafana's own alerting: the alerts of Prometheus' rules, for those who have no Alertmanager, and whom they are told to. */
import {
  ContactPointBuilder,
  NotificationSettingsBuilder,
  QueryBuilder,
  RuleBuilder,
  type ContactPoint,
  type Rule,
} from "@grafana/grafana-foundation-sdk/alerting";
import { TypeThresholdBuilder } from "@grafana/grafana-foundation-sdk/expr";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";

/** An alert as Prometheus' rules have it. */
export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** As the provisioned data source is called. */
export const DATASOURCE_UID = "prometheus";
const CONTACT = "evenkeel";
const ORG = 1;
/** Asked for as of now; Grafana wants a range all the same. */
const RANGE = { from: 600, to: 0 };

/** A group of alerts as a file of alerting provisioning has it. */
export function provisionedGroup(name: string, alerts: readonly Alert[]): object {
  return { orgId: ORG, name, folder: "Evenkeel", interval: "15s", rules: alerts.map((alert) => provisioned(ruleOf(alert))) };
}

/** Where alerts go: an address out of Grafana's environment, which provisioning fills in. */
export function provisionedContact(): object {
  const { name, ...receiver } = contact();
  return { orgId: ORG, name, receivers: [receiver] };
}

const contact = (): ContactPoint =>
  new ContactPointBuilder()
    .name(CONTACT)
    .uid("evenkeel-webhook")
    .type("webhook")
    .settings({ url: "$EVENKEEL_ALERT_WEBHOOK" })
    .disableResolveMessage(false)
    .build();

/**
 * Prometheus fires for every series that an expression leaves over, whatever its value; Grafana fires where a number is above a
 * threshold. So A is asked for the value that the summary tells, B is 1 wherever there is one, and C looks at B.
 */
function ruleOf({ alert, expr, for: duration = "0s", labels, annotations }: Alert): Rule {
  return new RuleBuilder(alert)
    .uid(alert.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase())
    .withQuery(asked("A", expr))
    .withQuery(asked("B", `(${expr.trim()}) * 0 + 1`))
    .withQuery(
      new QueryBuilder("C")
        .datasourceUid("__expr__")
        .relativeTimeRange(RANGE)
        .model(
          new TypeThresholdBuilder()
            .refId("C")
            .expression("B")
            .conditions([{ evaluator: { type: "gt", params: [0] } }]),
        ),
    )
    .condition("C")
    .noDataState("OK")
    .execErrState("Error")
    .forDuration(duration)
    .labels({ ...labels })
    .annotations(
      Object.fromEntries(Object.entries(annotations).map(([name, text]) => [name, text.replaceAll("$value", "$values.A.Value")])),
    )
    .notificationSettings(new NotificationSettingsBuilder().receiver(CONTACT).groupBy(["alertname", "grafana_folder", "endpoint"]))
    .build();
}

const asked = (refId: string, expr: string): QueryBuilder =>
  new QueryBuilder(refId)
    .datasourceUid(DATASOURCE_UID)
    .relativeTimeRange(RANGE)
    .model(new DataqueryBuilder().refId(refId).expr(expr.trim()).instant());

/** What belongs to a group in a file, and not to each of its rules. */
function provisioned({ folderUID: _folder, orgID: _org, ruleGroup: _group, ...rule }: Rule): object {
  return rule;
}
