/** Channels and alerts as people write them: where to, and who is told of what. Data, as it stands in YAML. */
import { Type, type Static } from "typebox";
import { SIGNING, SecretName, secretIssues, secretNamed, type Egress, type Secrets } from "../../access/index.ts";
import { checked, nearest } from "../../checked.ts";
import { Duration, millisecondsOf } from "../../duration.ts";
import { err, ok, unreachable, type Issue, type Result } from "../../std.ts";
import { alertKinds, severities } from "./alert.ts";

export const Name = Type.String({ pattern: "^[a-z][a-z0-9-]{0,62}$" });
const Url = Type.String({ maxLength: 2000 });
const Timeout = Type.Optional(Type.Integer({ minimum: 100, maximum: 60_000, description: "For one request; 10,000 by default" }));
const closed = { additionalProperties: false } as const;

const WebhookTarget = Type.Object(
  {
    kind: Type.Literal("webhook"),
    url: Url,
    secrets: Type.Array(SecretName, {
      minItems: 1,
      maxItems: 5,
      uniqueItems: true,
      description: "What requests are signed with (whsec_… or whsk_…); two while one replaces the other",
    }),
    timeout_ms: Timeout,
  },
  { title: "WebhookChannel", ...closed },
);
const SlackTarget = Type.Object(
  {
    kind: Type.Literal("slack"),
    secret: Type.Unsafe<string>({
      ...SecretName,
      description: "Holds the whole address of the incoming webhook: whoever knows it may write",
    }),
  },
  { title: "SlackChannel", ...closed, description: "Slack's incoming webhooks, and what takes the same: Mattermost, Rocket.Chat" },
);
const EmailTarget = Type.Object(
  {
    kind: Type.Literal("email"),
    host: Type.String({ pattern: "^[A-Za-z0-9._:-]{1,253}$" }),
    port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535, description: "587 by default; 465 with tls: implicit" })),
    tls: Type.Optional(
      Type.Enum(["starttls", "implicit", "none"], {
        description:
          "starttls (default): nothing is sent before the connection is encrypted; none: only for a relay on a network of your own",
      }),
    ),
    user: Type.Optional(Type.String({ minLength: 1, maxLength: 320 })),
    password: Type.Optional(SecretName),
    from: Type.String({ pattern: "^[^\\s@<>]+@[^\\s@<>]+$", maxLength: 320 }),
    to: Type.Array(Type.String({ pattern: "^[^\\s@<>]+@[^\\s@<>]+$", maxLength: 320 }), { minItems: 1, maxItems: 20, uniqueItems: true }),
  },
  { title: "EmailChannel", ...closed },
);
const PagerdutyTarget = Type.Object(
  {
    kind: Type.Literal("pagerduty"),
    routing_key: SecretName,
    url: Type.Optional(Type.String({ maxLength: 2000, description: "https://events.pagerduty.com/v2/enqueue by default" })),
  },
  { title: "PagerdutyChannel", ...closed, description: "Events API v2" },
);
const AlertmanagerTarget = Type.Object(
  {
    kind: Type.Literal("alertmanager"),
    url: Type.String({ maxLength: 2000, description: "Of the server: http://alertmanager.internal:9093" }),
    bearer: Type.Optional(SecretName),
  },
  { title: "AlertmanagerChannel", ...closed, description: "API v2" },
);

export const ChannelSpec = Type.Object(
  {
    kind: Type.Literal("channel"),
    name: Name,
    groups: Type.Optional(
      Type.Boolean({ description: "Says in words that messages may name the group that was harmed; else they say “one group”" }),
    ),
    target: Type.Union([WebhookTarget, SlackTarget, EmailTarget, PagerdutyTarget, AlertmanagerTarget]),
  },
  { title: "ChannelDeclaration", additionalProperties: false },
);
export type ChannelSpec = Static<typeof ChannelSpec>;
export type ChannelTargetSpec = ChannelSpec["target"];
export type ChannelTargetOf<K extends ChannelTargetSpec["kind"]> = Extract<ChannelTargetSpec, { readonly kind: K }>;

const Channels = Type.Array(Name, { minItems: 1, maxItems: 20, uniqueItems: true });
export const AlertsSpec = Type.Object(
  {
    kind: Type.Literal("alerts"),
    name: Name,
    endpoints: Type.Optional(
      Type.Array(Name, {
        minItems: 1,
        maxItems: 1000,
        uniqueItems: true,
        description: "All by default, those to come as well, and what belongs to no endpoint",
      }),
    ),
    kinds: Type.Optional(Type.Array(Type.Enum([...alertKinds]), { minItems: 1, uniqueItems: true, description: "All by default" })),
    severity: Type.Optional(Type.Enum([...severities], { description: "At least; warning by default" })),
    tell: Type.Unsafe<string[]>({ ...Channels, description: "Channels that are told at once" }),
    escalate: Type.Optional(
      Type.Array(Type.Object({ after: Duration, tell: Channels }, closed), {
        maxItems: 5,
        description: "Who is told as well while nobody has acknowledged the alert",
      }),
    ),
    group_wait: Type.Optional(Type.Unsafe<string>({ ...Duration, description: "For others of the same endpoint to come; 10s by default" })),
    group_interval: Type.Optional(
      Type.Unsafe<string>({ ...Duration, description: "Between two messages about one endpoint at least; 1m by default" }),
    ),
    repeat_interval: Type.Optional(
      Type.Unsafe<string>({ ...Duration, description: "An alert that nobody has acknowledged is told again after so long; 4h by default" }),
    ),
  },
  { title: "AlertsDeclaration", additionalProperties: false },
);
export type AlertsSpec = Static<typeof AlertsSpec>;

/** What the server knows and a declaration only names. */
export interface AlertSurroundings {
  readonly egress: Egress;
  readonly secrets: Secrets;
}

const checkChannel = checked(ChannelSpec);
const checkAlerts = checked(AlertsSpec);

/** Reads a channel. Every setting that can't work on this server is named; whether anybody answers there isn't asked here. */
export function parseChannel(value: unknown, around: AlertSurroundings): Result<ChannelSpec, readonly Issue[]> {
  const spec = checkChannel(value);
  if (!spec.ok) return spec;
  const issues = targetIssues(spec.value.target, around);
  return issues.length > 0 ? err(issues) : spec;
}

/** Reads who is told of what. */
export function parseAlerts(
  value: unknown,
  known: { readonly channels: readonly string[]; readonly endpoints: readonly string[] },
): Result<AlertsSpec, readonly Issue[]> {
  const spec = checkAlerts(value);
  if (!spec.ok) return spec;
  const { tell, escalate = [], endpoints = [] } = spec.value;
  const issues = [
    ...unknownIssues("/tell", tell, known.channels, "channel"),
    ...escalate.flatMap((step, i) => unknownIssues(`/escalate/${i}/tell`, step.tell, known.channels, "channel")),
    ...escalate.flatMap(({ after }, i) => {
      const before = escalate[i - 1];
      return before && millisecondsOf(after) <= millisecondsOf(before.after)
        ? [{ path: `/escalate/${i}/after`, expected: `longer than the step before it, ${before.after}`, got: after }]
        : [];
    }),
    ...unknownIssues("/endpoints", endpoints, known.endpoints, "endpoint"),
    ...tooShort(spec.value),
  ];
  return issues.length > 0 ? err(issues) : ok(spec.value);
}

/** Names that nothing has, each with the nearest one that something has. */
export function unknownIssues(path: string, names: readonly string[], known: readonly string[], what: string): readonly Issue[] {
  return names.flatMap((name, i) => {
    if (known.includes(name)) return [];
    const near = nearest(name, known);
    const expected = `a declared ${what}: ${known.join(", ") || "there is none yet"}`;
    return [{ path: `${path}/${i}`, expected, got: name, ...(near === undefined ? {} : { hint: `did you mean "${near}"?` }) }];
  });
}

/** Less than this between messages is a storm. */
const INTERVAL_MIN_MS = 1000;
const REPEAT_MIN_MS = 60_000;
function tooShort({ group_interval: interval, repeat_interval: repeat }: AlertsSpec): readonly Issue[] {
  return [
    ...(interval !== undefined && millisecondsOf(interval) < INTERVAL_MIN_MS
      ? [{ path: "/group_interval", expected: "at least 1s", got: interval }]
      : []),
    ...(repeat !== undefined && millisecondsOf(repeat) < REPEAT_MIN_MS
      ? [{ path: "/repeat_interval", expected: "at least 1m", got: repeat }]
      : []),
  ];
}

/** Declarations that were checked when they were applied, as they were stored. */
export const storedChannel = (text: string): ChannelSpec => stored(checkChannel(JSON.parse(text)));
export const storedAlerts = (text: string): AlertsSpec => stored(checkAlerts(JSON.parse(text)));
function stored<T>(spec: Result<T, readonly Issue[]>): T {
  if (!spec.ok) throw new Error(`a stored declaration can't be read: ${JSON.stringify(spec.error)}`);
  return spec.value;
}

export const PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue";
const text = { isRight: (value: string) => value.trim() !== "", expected: "something" };

function targetIssues(target: ChannelTargetSpec, { egress, secrets }: AlertSurroundings): readonly Issue[] {
  const mayCall = (path: string, url: string): readonly Issue[] => {
    const refused = egress.check(url);
    return refused ? [{ path, ...refused }] : [];
  };
  switch (target.kind) {
    case "webhook":
      return [
        ...mayCall("/target/url", target.url),
        ...target.secrets.flatMap((name, i) => secretIssues(`/target/secrets/${i}`, name, secrets, SIGNING)),
      ];
    case "slack": {
      const isRight = (url: string) => /^https?:[/][/]/.test(url) && URL.canParse(url);
      const issues = secretIssues("/target/secret", target.secret, secrets, { isRight, expected: "an address that begins with https://" });
      return issues.length > 0 ? issues : mayCall("/target/secret", secretNamed(secrets, target.secret) ?? "");
    }
    case "email":
      return emailIssues(target, { egress, secrets });
    case "pagerduty":
      return [
        ...(target.url === undefined ? [] : mayCall("/target/url", target.url)),
        ...secretIssues("/target/routing_key", target.routing_key, secrets, {
          isRight: (key) => /^[A-Za-z0-9]{32}$/.test(key),
          expected: "an integration key of 32 letters and digits",
        }),
      ];
    case "alertmanager":
      return [
        ...mayCall("/target/url", target.url),
        ...(target.bearer === undefined ? [] : secretIssues("/target/bearer", target.bearer, secrets, text)),
      ];
    default:
      return unreachable(target);
  }
}

function emailIssues(target: ChannelTargetOf<"email">, { egress, secrets }: AlertSurroundings): readonly Issue[] {
  const { host, user, password, tls } = target;
  const refused = egress.check(`http://${host.includes(":") ? `[${host}]` : host}:${portOf(target)}`);
  return [
    ...(refused ? [{ path: "/target/host", ...refused, got: host }] : []),
    ...(password === undefined ? [] : secretIssues("/target/password", password, secrets, text)),
    ...((user === undefined) === (password === undefined)
      ? []
      : [
          {
            path: user === undefined ? "/target/user" : "/target/password",
            expected: "a user with a password, or neither",
            got: "nothing",
          },
        ]),
    ...(tls === "none" && password !== undefined
      ? [{ path: "/target/tls", expected: "starttls or implicit where a password is sent", got: "none" }]
      : []),
  ];
}

export const portOf = ({ port, tls }: ChannelTargetOf<"email">): number => port ?? (tls === "implicit" ? 465 : 587);
