/** Alerts: what is open, who was told, and what people say to it. Channels and alerts are declared by `POST /v1/apply`. */
import { Type } from "typebox";
import { actorOf, reaches, type Principal } from "../access/index.ts";
import { Duration, millisecondsOf } from "../duration.ts";
import { Matcher, type AlertDetail, type AlertRefusal, type Alerts, type DeclarationKind, type Silence } from "../monitoring/index.ts";
import { unreachable, type Result } from "../std.ts";
import type { Clock } from "../store/index.ts";
import { declarationProblem } from "./alert-declarations.ts";
import {
  AlertDeclarationsView,
  AlertDetailView,
  AlertView,
  NoticeView,
  SilenceView,
  TestedView,
  alertView,
  channelView,
  noticeView,
  silenceView,
  tellingView,
} from "./alert-view.ts";
import { ProblemError } from "./problem.ts";
import { notFound, principalOf, type Server } from "./server.ts";

export interface AlertRouteParts {
  readonly alerts: Alerts;
  readonly clock: Clock;
}

const Reason = Type.String({ minLength: 1, maxLength: 2000, description: "Kept in the audit log" });
const ReasonBody = Type.Object({ reason: Reason }, { additionalProperties: false });
const SilenceBody = Type.Object({ ...Matcher.properties, for: Duration, reason: Reason }, { additionalProperties: false });
const SILENCE_MAX_DAYS = 30;
const tags = ["alerts"];

/** What belongs to no endpoint is told to whoever reaches all of them. */
const isVisible = (principal: Principal, endpoint: string | null): boolean =>
  endpoint === null ? principal.endpoints === null : reaches(principal, endpoint);

export const alertRoutes =
  ({ alerts, clock }: AlertRouteParts) =>
  (app: Server) => {
    const find = async (name: string, principal: Principal): Promise<AlertDetail> => {
      const found = await alerts.show(name);
      if (!found || !isVisible(principal, found.alert.facts.endpoint)) throw notFound(`alert "${name}"`);
      return found;
    };
    app.get(
      "/v1/alerts",
      {
        config: { right: "read" },
        schema: {
          summary: "Alerts, newest first",
          tags,
          querystring: Type.Object({
            state: Type.Optional(Type.Enum(["open", "resolved", "all"], { description: "open by default" })),
            endpoint: Type.Optional(Type.String()),
            about: Type.Optional(Type.String({ description: "incident/7" })),
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: "100 by default" })),
          }),
          response: { 200: Type.Object({ alerts: Type.Array(AlertView) }) },
        },
      },
      async (request) => {
        const principal = principalOf(request);
        const { state = "open", endpoint, about, limit } = request.query;
        const found = await alerts.list({
          ...(state === "all" ? {} : { isOpen: state === "open" }),
          ...(endpoint === undefined ? {} : { endpoint }),
          ...(about === undefined ? {} : { key: about }),
          ...(limit === undefined ? {} : { limit }),
        });
        const visible = found.filter(({ alert }) => isVisible(principal, alert.facts.endpoint));
        return { alerts: visible.map((one) => alertView(one, principal)) };
      },
    );
    app.get(
      "/v1/alerts/:alert",
      {
        config: { right: "read" },
        schema: {
          summary: "One alert, and who was told what of it",
          tags,
          params: Type.Object({ alert: Type.String() }),
          response: { 200: AlertDetailView },
        },
      },
      async (request) => {
        const principal = principalOf(request);
        const found = await find(request.params.alert, principal);
        return { ...alertView(found, principal), tellings: found.tellings.map(tellingView) };
      },
    );
    app.post(
      "/v1/alerts/:alert/acknowledge",
      {
        config: { right: "alerts:answer" },
        schema: {
          summary: "Somebody sees to it: it is neither repeated nor escalated",
          tags,
          params: Type.Object({ alert: Type.String() }),
          body: ReasonBody,
          response: { 200: AlertView },
        },
      },
      async (request) => {
        const principal = principalOf(request);
        const { alert } = await find(request.params.alert, principal);
        good(await alerts.acknowledge(alert.id, { actor: actorOf(principal), reason: request.body.reason }), `alert "${alert.id}"`);
        return alertView(await find(alert.id, principal), principal);
      },
    );
    silenceRoutes(app, { alerts, clock });
    deliveryRoutes(app, alerts);
  };

function silenceRoutes(app: Server, { alerts, clock }: AlertRouteParts): void {
  const mayTouch = (principal: Principal, { endpoint }: Silence["matcher"]): boolean => isVisible(principal, endpoint ?? null);
  app.get(
    "/v1/alert-silences",
    {
      config: { right: "read" },
      schema: {
        summary: "Silences, newest first, those that are over too",
        tags,
        response: { 200: Type.Object({ silences: Type.Array(SilenceView) }) },
      },
    },
    async (request) => {
      const all = (await alerts.silences()).filter(({ matcher }) => mayTouch(principalOf(request), matcher));
      return { silences: all.map((one) => silenceView(one, clock.nowMs())) };
    },
  );
  app.post(
    "/v1/alert-silences",
    {
      config: { right: "alerts:answer" },
      schema: {
        summary: "Tell nobody of what matches, for a while",
        description: "Of alerts that match in all that is given. Whoever was told that one began is told that it ended all the same.",
        tags,
        body: SilenceBody,
        response: { 200: SilenceView },
      },
    },
    async (request) => {
      const { for: duration, reason, ...matcher } = request.body;
      const principal = principalOf(request);
      if (Object.keys(matcher).length === 0)
        throw new ProblemError("invalid", undefined, [
          { path: "", expected: "what is silenced: alert, endpoint, kind or guardrail", got: "nothing" },
        ]);
      const forMs = millisecondsOf(duration);
      if (forMs <= 0 || forMs > millisecondsOf(`${SILENCE_MAX_DAYS}d`))
        throw new ProblemError("invalid", undefined, [
          { path: "/for", expected: `more than nothing and at most ${SILENCE_MAX_DAYS}d`, got: duration },
        ]);
      if (principal.endpoints !== null && !mayTouch(principal, matcher))
        throw new ProblemError("invalid", undefined, [
          { path: "/endpoint", expected: "an endpoint that this token reaches", got: matcher.endpoint ?? "nothing" },
        ]);
      const made = good(await alerts.silence(matcher, forMs, { actor: actorOf(principal), reason }), "silence");
      return silenceView(made, clock.nowMs());
    },
  );
  app.post(
    "/v1/alert-silences/:silence/end",
    {
      config: { right: "alerts:answer" },
      schema: {
        summary: "End a silence before its time",
        tags,
        params: Type.Object({ silence: Type.String() }),
        body: ReasonBody,
        response: { 200: SilenceView },
      },
    },
    async (request) => {
      const { silence } = request.params;
      const principal = principalOf(request);
      const known = (await alerts.silences()).find(({ id }) => id === silence);
      if (!known || !mayTouch(principal, known.matcher)) throw notFound(`silence "${silence}"`);
      const ended = await alerts.unsilence(silence, { actor: actorOf(principal), reason: request.body.reason });
      return silenceView(good(ended, `silence "${silence}"`), clock.nowMs());
    },
  );
}

function deliveryRoutes(app: Server, alerts: Alerts): void {
  const remove = async (kind: DeclarationKind, name: string, principal: Principal): Promise<void> => {
    const done = await alerts.declarations.remove(kind, name, { actor: actorOf(principal), reason: "removed" });
    if (!done.ok) throw declarationProblem(done.error, `${kind} "${name}"`);
  };
  app.get(
    "/v1/alert-declarations",
    {
      config: { right: "read" },
      schema: { summary: "Channels, how each stands, and who is told of what", tags, response: { 200: AlertDeclarationsView } },
    },
    async (request) => {
      const principal = principalOf(request);
      const isAbout = (endpoints: readonly string[] | undefined) =>
        principal.endpoints === null || (endpoints !== undefined && endpoints.every((name) => reaches(principal, name)));
      const { alerts: declared } = await alerts.declarations.all();
      // Channels are told of all endpoints.
      const channels = principal.endpoints === null ? await alerts.channels() : [];
      return { channels: channels.map(channelView), alerts: declared.filter(({ endpoints }) => isAbout(endpoints)) };
    },
  );
  app.delete(
    "/v1/alert-channels/:channel",
    {
      config: { right: "alerts:write" },
      schema: {
        summary: "Take a channel away that nothing tells any more",
        description: "What waited for it is dropped.",
        tags,
        params: Type.Object({ channel: Type.String() }),
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await remove("channel", request.params.channel, principalOf(request));
      return reply.code(204).send(null);
    },
  );
  app.delete(
    "/v1/alert-rules/:rule",
    {
      config: { right: "alerts:write" },
      schema: {
        summary: "Take away what says who is told: a declaration of the kind alerts",
        tags,
        params: Type.Object({ rule: Type.String() }),
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await remove("alerts", request.params.rule, principalOf(request));
      return reply.code(204).send(null);
    },
  );
  app.post(
    "/v1/alert-tests",
    {
      config: { right: "alerts:answer" },
      schema: {
        summary: "Send a test message, and wait for what comes of it",
        tags,
        body: Type.Object({ channel: Type.Optional(Type.String({ description: "All when left out" })) }, { additionalProperties: false }),
        response: { 200: Type.Object({ tested: Type.Array(TestedView) }) },
      },
    },
    async (request) => {
      const { channel } = request.body;
      const tested = good(await alerts.test(channel), `channel "${channel ?? ""}"`);
      return { tested: tested.map((one) => ({ ...one, isTold: one.why === null })) };
    },
  );
  app.get(
    "/v1/alert-notices",
    {
      config: { right: "read" },
      schema: {
        summary: "Notices that were given up, oldest first",
        tags,
        querystring: Type.Object({ channel: Type.Optional(Type.String()) }),
        response: { 200: Type.Object({ notices: Type.Array(NoticeView) }) },
      },
    },
    async (request) => {
      const principal = principalOf(request);
      const dead = (await alerts.dead(request.query.channel)).filter(({ endpoint }) => isVisible(principal, endpoint));
      return { notices: dead.map((one) => noticeView(one, principal)) };
    },
  );
  app.post(
    "/v1/alert-notices/:notice/resend",
    {
      config: { right: "alerts:answer" },
      schema: {
        summary: "Send again what was given up, under the id that it had",
        tags,
        params: Type.Object({ notice: Type.String() }),
        body: ReasonBody,
        response: { 200: NoticeView },
      },
    },
    async (request) => {
      const { notice } = request.params;
      const principal = principalOf(request);
      const by = { actor: actorOf(principal), reason: request.body.reason };
      const isReached = (endpoint: string | null) => isVisible(principal, endpoint);
      return noticeView(good(await alerts.resend(notice, by, isReached), `notice "${notice}"`), principal);
    },
  );
}

function good<T>(done: Result<T, AlertRefusal>, what: string): T {
  if (done.ok) return done.value;
  const { kind } = done.error;
  switch (kind) {
    case "unknown":
      throw notFound(what);
    case "resolved":
      throw new ProblemError("conflict", "It is resolved: nobody needs to see to it any more.");
    case "ended":
      throw new ProblemError("conflict", `The ${what} is over already.`);
    case "too-many-silences":
      throw new ProblemError("conflict", "There are too many silences: end some first.");
    default:
      return unreachable(kind);
  }
}
