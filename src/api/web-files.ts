/** The browser application, as built into `dist/web`, under a strict content security policy. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fastifyStatic from "@fastify/static";
import type { Server } from "./server.ts";

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

/** Both `src/api/` and `dist/api/` lie two folders below the package. */
const WEB_FOLDER = fileURLToPath(new URL("../../dist/web/", import.meta.url));

export const webRoutes = () => async (app: Server) => {
  const hasWeb = existsSync(`${WEB_FOLDER}index.html`);
  app.addHook("onSend", async (_request, reply) => {
    void reply.header("content-security-policy", POLICY).header("referrer-policy", "same-origin");
  });
  if (!hasWeb) {
    app.get("/", { config: { right: "public" }, schema: { hide: true } }, async (_request, reply) =>
      reply
        .type("text/plain; charset=utf-8")
        .send("The browser application isn't built: npm run build:web. The API is at /openapi.json.\n"),
    );
    return;
  }
  await app.register(fastifyStatic, { root: WEB_FOLDER, serve: false });
  const page = { config: { right: "public" }, schema: { hide: true } } as const;
  // View state is in the address, so every page is the same file.
  for (const url of [
    "/",
    "/incidents/:n",
    "/endpoints/:endpoint/metrics",
    "/data",
    "/data/:dataset",
    "/runs",
    "/runs/:run",
    "/models",
    "/models/:model",
    "/lineage/*",
  ]) {
    app.get(url, page, (_request, reply) => reply.header("cache-control", "no-cache").sendFile("index.html", { cacheControl: false }));
  }
  // Built files carry a hash of their content in the name.
  app.get<{ Params: { "*": string } }>("/assets/*", page, (request, reply) =>
    reply.sendFile(`assets/${request.params["*"]}`, { maxAge: "365d", immutable: true }),
  );
};
