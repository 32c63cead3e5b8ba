/** T9: releases whose model server would be this machine, its network or a cloud's metadata, however the address is written: refused, and never called. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { EvenkeelProblem } from "../../src/client.ts";
import { ModelServer } from "../fixtures/model-server.ts";
import { freshServer } from "../server.ts";
import { ENDPOINT, LOANS_YAML } from "./applications.ts";
import type { Case, Survived } from "./case.ts";

const SECRET = "what only this machine may see";
/** In each of these the server would reach itself, its neighbours or its cloud. */
const HOSTS = `127.0.0.1 2130706433 0x7f.1 0177.0.0.1 127.1 ①②⑦.⓪.⓪.① 0 0.0.0.0 localhost LOCALHOST localhost. [::1] [::] [::ffff:127.0.0.1]
  [::ffff:7f00:1] [::7f00:1] [64:ff9b::7f00:1] [2002:7f00:1::] 10.1.2.3 172.16.0.1 192.168.1.1 100.64.0.1 [fd12::1] [fe80::1]
  169.254.169.254 2852039166 [::ffff:169.254.169.254] [fd00:ec2::254] 100.100.100.200 user@127.0.0.1 user:secret@8.8.8.8`
  .trim()
  .split(/\s+/);

export const ssrf: Case = {
  id: "T9",
  title: "model servers where none may be called",
  section: "fault",
  cannot: () => undefined,
  async run(): Promise<Survived> {
    let called = 0;
    const inner = createServer((_request, response) => {
      called++;
      response.end(SECRET);
    });
    await new Promise<void>((resolve) => inner.listen(0, resolve));
    const { port } = asAddress(inner.address());
    const redirecting = await new ModelServer().listen();
    redirecting.fault = "redirect";
    redirecting.redirectTo = `http://127.0.0.1:${port}/`;
    // What must stay out of reach even when it is allowed in words: a cloud's metadata.
    const allow = [`127.0.0.1:${redirecting.port}`, `169.254.169.254:${port}`];
    const server = await freshServer({ egress: { allow } });
    const urls = [
      ...HOSTS.map((host) => `http://${host}:${port}/`),
      redirecting.url,
      server.url,
      `ftp://127.0.0.1:${port}/`,
      "file:///etc/passwd",
    ];
    const failures: string[] = [];
    let wrong = 0;
    try {
      await server.admin.post("/v1/apply", { yaml: LOANS_YAML });
      for (const url of urls) {
        const answer = await refusalOf(
          server.admin.post(`/v1/endpoints/${ENDPOINT}/releases`, {
            scorer: { kind: "http", protocol: "mlflow", url, send: "inputs" },
            policy: { bands: [{ action: "deny", from: 0 }] },
          }),
        );
        const isRefused = answer.status >= 400 && answer.status < 500;
        const tells = answer.text.includes(SECRET);
        if (isRefused && !tells) continue;
        wrong++;
        failures.push(`${url}: ${tells ? "what it said is told" : `answered ${answer.status}`}: ${answer.text.slice(0, 300)}`);
      }
      const { releases } = await server.admin.get<{ readonly releases: readonly unknown[] }>(`/v1/endpoints/${ENDPOINT}/releases`);
      if (releases.length !== 1) failures.push(`${releases.length - 1} releases were made`);
      if (called > 0) failures.push(`this machine was called ${called} times`);
    } finally {
      await server.drop();
      await redirecting.close();
      await new Promise((resolve) => inner.close(resolve));
    }
    const none = { acked: null, lost: null, doubled: 0, tallyOff: 0, serverErrors: 0, recoverMs: [] };
    const note = `${urls.length - wrong} of ${urls.length} refused with 4xx; called ${called} times; nothing of an answer told`;
    return { kind: "fault", runs: urls.length, injected: urls.length, ...none, wrong, note, failures };
  },
};

/** It listens on a port. */
const asAddress = (address: unknown) => address as AddressInfo;

async function refusalOf(request: Promise<unknown>): Promise<{ readonly status: number; readonly text: string }> {
  try {
    return { status: 200, text: JSON.stringify(await request) };
  } catch (error) {
    if (!(error instanceof EvenkeelProblem)) throw error;
    return { status: error.problem.status, text: JSON.stringify(error.problem) };
  }
}
