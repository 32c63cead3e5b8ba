/** Signing in from a browser: the access token goes into a cookie that scripts can't read. */
import { Type } from "typebox";
import type { Tokens } from "../access/index.ts";
import { ProblemError } from "./problem.ts";
import { SESSION_COOKIE, type Server } from "./server.ts";

const SessionBody = Type.Object({ token: Type.String({ minLength: 20, maxLength: 200 }) }, { additionalProperties: false });
const SessionView = Type.Object({ name: Type.String(), role: Type.String() });

export const sessionRoutes = (tokens: Tokens) => (app: Server) => {
  app.post(
    "/v1/session",
    {
      config: { right: "public" },
      schema: { summary: "Sign in with an access token", tags: ["session"], body: SessionBody, response: { 200: SessionView } },
    },
    async (request, reply) => {
      const principal = await tokens.authenticate(request.body.token);
      if (!principal)
        throw new ProblemError("bad-token", "The token is unknown, expired, revoked or mistyped. `evenkeel token create` makes a new one.");
      const secure = request.protocol === "https" ? "; Secure" : "";
      void reply.header("set-cookie", `${SESSION_COOKIE}=${request.body.token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200${secure}`);
      return { name: principal.name, role: principal.role };
    },
  );
  app.delete(
    "/v1/session",
    { config: { right: "public" }, schema: { summary: "Sign out", tags: ["session"], response: { 204: Type.Null() } } },
    async (_request, reply) => {
      void reply.header("set-cookie", `${SESSION_COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0`);
      return reply.code(204).send(null);
    },
  );
};
