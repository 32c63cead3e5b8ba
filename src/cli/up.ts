import { url as inspectorUrl } from "node:inspector";
import { resolve } from "node:path";
import { parseEgress } from "../access/index.ts";
import { VERSION, startApp } from "../app.ts";
import { giveBackMemory } from "../give-back-memory.ts";
import type { OpenLineageTarget } from "../releases/index.ts";
import { engineSocket } from "./engine-socket.ts";
import { styled } from "./io.ts";
import { defaultMemoryBudget, memorySize } from "./memory-size.ts";
import { startTrouble } from "./start-trouble.ts";
import { tracingAsked } from "./tracing.ts";
import { UsageError, verb, wholeNumber } from "./verb.ts";
import { startWatchdog } from "./watchdog.ts";

const STOP_WITHIN_MS = 25_000;
/** An event loop that hasn't turned for so many seconds won't turn again. */
const STALLED_SECONDS = 30;

export const up = verb({
  name: "up",
  help: `start the server

usage: evenkeel up [--data <folder>] [--port <n>] [--host <address>] [--allowed-host <name>]… [--postgres <url>]
                   [--allow-egress <host:port>]… [--container-engine <socket>] [--memory-budget <size>] [--take-over]
                   [--openlineage <url|file>] [--public-url <address>]

  --data      where everything is kept (default: evenkeel-data)
  --port      default 7070; 0 takes a free one
  --host      default 127.0.0.1
  --postgres  keep the database in PostgreSQL (or EVENKEEL_POSTGRES_URL); blobs stay in the folder
  --allow-egress  a model server on this machine or its network that releases may call: models.internal:8080, 127.0.0.1:8501,
                  10.0.0.0/8:8080 (or EVENKEEL_ALLOW_EGRESS, with commas); public addresses need none
  --memory-budget  what the models of all releases may take together, 2GB for example (default: half of the machine's memory, or of the
                  container's); a release that doesn't fit is refused
  --take-over  take the place of the server that runs on the folder, if one does, once everything is loaded and proven: no request fails, no
                  decision is lost; it needs the same --port. When this one can't, the other goes on
  --openlineage  who is told of runs, models, releases and rollbacks as events of OpenLineage: http://marquez:5000/api/v1/lineage, or a file of
                  lines; a private address needs --allow-egress as well, and EVENKEEL_SECRET_OPENLINEAGE is sent as a bearer's token
  --public-url  where people reach the server (or EVENKEEL_PUBLIC_URL): links in alerts begin with it; without it alerts have none
  --container-engine  the socket of Docker or Podman, for models in containers; by default DOCKER_HOST, or the usual places

Traces of decisions go by OTLP where OpenTelemetry's variables say so: OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318
Headers of calls to model servers, and containers' environments, may name secrets: EVENKEEL_SECRET_LITSERVE in the environment is the secret litserve.
The first start prints an admin token, once. Ctrl+C finishes what is under way and stops.

examples:
  evenkeel up
  evenkeel up --data /var/lib/evenkeel --port 8080`,
  words: 0,
  options: {
    port: { type: "string" },
    host: { type: "string" },
    "allowed-host": { type: "string", multiple: true },
    postgres: { type: "string" },
    "allow-egress": { type: "string", multiple: true },
    "memory-budget": { type: "string" },
    "take-over": { type: "boolean" },
    "container-engine": { type: "string" },
    openlineage: { type: "string" },
    "public-url": { type: "string" },
  },
  async run({ values }, { io, cwd, env }) {
    const port = wholeNumber("--port", values.port ?? "7070", { min: 0, max: 65_535 });
    const said = values.data ?? env["EVENKEEL_DATA"] ?? "evenkeel-data";
    if (said === "") throw new UsageError("--data takes a folder, not an empty word");
    const folder = resolve(cwd, said);
    const host = values.host ?? "127.0.0.1";
    const postgresUrl = values.postgres ?? env["EVENKEEL_POSTGRES_URL"];
    const allow = values["allow-egress"] ?? env["EVENKEEL_ALLOW_EGRESS"]?.split(",").map((entry) => entry.trim()) ?? [];
    const egress = parseEgress(allow);
    if (!egress.ok) throw new UsageError(`--allow-egress takes ${egress.error[0]?.expected}, not "${egress.error[0]?.got}"`);
    if (postgresUrl !== undefined && !/^postgres(ql)?:[/][/]/.test(postgresUrl))
      throw new UsageError("--postgres takes an address such as postgresql://user:password@127.0.0.1:5432/evenkeel");
    const publicUrl = values["public-url"] ?? env["EVENKEEL_PUBLIC_URL"];
    if (publicUrl !== undefined && !(/^https?:[/][/]/.test(publicUrl) && URL.canParse(publicUrl)))
      throw new UsageError(`--public-url takes an address that begins with https:// or http://, not "${publicUrl}"`);
    const budget = values["memory-budget"];
    const containerEngine = engineSocket(values["container-engine"], env);
    const onError = (error: Error, reference: string) => io.note(`${new Date().toISOString()} ${reference}: ${error.message}`);
    const tracing = await tracingAsked(env, { version: VERSION, onTrouble: (error) => onError(error, "traces") });
    const start = (portNow: number, takeOver: boolean) =>
      startApp({
        folder,
        port: portNow,
        takeOver,
        host,
        ...(values["allowed-host"] ? { allowedHosts: values["allowed-host"] } : {}),
        ...(postgresUrl ? { postgresUrl } : {}),
        egress: { allow },
        memoryBudgetBytes: budget === undefined ? defaultMemoryBudget() : memorySize("--memory-budget", budget),
        ...(containerEngine ? { containerEngine } : {}),
        secrets: secretsIn(env),
        ...(publicUrl === undefined ? {} : { publicUrl }),
        ...(values.openlineage === undefined ? {} : { openLineage: receiverNamed(values.openlineage, cwd, env) }),
        ...(tracing ? { tracer: tracing.tracer } : {}),
        onError,
        dropped: () => io.dropped(),
        onFatal: (why) => {
          io.note(`evenkeel up: ${why}. What was acknowledged is safe; ending so that a supervisor can start afresh.`);
          process.kill(process.pid, "SIGKILL");
        },
      });
    let app = await start(port, values["take-over"] === true).catch((error: unknown) => {
      const why =
        error instanceof Error ? startTrouble(error, { folder: said, host, port, hasPostgres: postgresUrl !== undefined }) : undefined;
      throw why === undefined ? error : new Error(why, { cause: error });
    });
    giveBackMemory();
    if (values.json) io.out(JSON.stringify({ url: app.url, folder, token: app.firstAdmin?.token ?? null }));
    else {
      io.out(`Evenkeel is up: ${styled(io, "bold", app.url)}   data in ${folder}`);
      if (app.firstAdmin) io.out(`admin token, shown this once: ${styled(io, "bold", app.firstAdmin.token)}`);
    }
    // Somebody who has stopped the program in a debugger wants it to stand still.
    const stopWatching = inspectorUrl() === undefined ? startWatchdog(STALLED_SECONDS) : () => undefined;
    const stopped = stopSignal();
    for (;;) {
      const why = await Promise.race([stopped, app.replaced]);
      if (why === "stop") io.note("stopping: finishing what is under way (again to end at once)");
      if (why === "successor") io.note("another process has taken over; ending");
      if (why !== "nobody") break;
      io.note("the process that was to take over has ended: going on");
      const { port: before } = new URL(app.url);
      await app.stop();
      app = await start(Number(before), false);
    }
    // Native code can't be ended from inside; past the deadline, or at the second signal, the process ends itself from outside.
    const end = () => process.kill(process.pid, "SIGKILL");
    process.once("SIGINT", end).once("SIGTERM", end);
    const deadline = setTimeout(end, STOP_WITHIN_MS);
    await app.stop();
    await tracing?.close();
    clearTimeout(deadline);
    stopWatching();
    return 0;
  },
});

const SECRET = "EVENKEEL_SECRET_";
const secretsIn = (env: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      name.startsWith(SECRET) && value !== undefined ? [[name.slice(SECRET.length).toLowerCase(), value]] : [],
    ),
  );

function receiverNamed(text: string, cwd: string, env: Readonly<Record<string, string | undefined>>): OpenLineageTarget {
  if (!/^[a-z]+:[/][/]/i.test(text)) return { kind: "file", path: resolve(cwd, text) };
  if (!/^https?:[/][/]/.test(text) || !URL.canParse(text))
    throw new UsageError(`--openlineage takes an address that begins with http:// or https://, or a file, not "${text}"`);
  const token = env[`${SECRET}OPENLINEAGE`];
  return { kind: "http", url: text, ...(token === undefined ? {} : { token }) };
}

function stopSignal(): Promise<"stop"> {
  return new Promise((resolve_) => {
    process.once("SIGINT", () => resolve_("stop"));
    process.once("SIGTERM", () => resolve_("stop"));
  });
}
