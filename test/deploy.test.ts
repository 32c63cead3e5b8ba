/** What deploy/ says fits together: compose's services, their files, their secrets, and what the image is. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { valueAt } from "../src/checked.ts";

const DEPLOY = new URL("../deploy/", import.meta.url);
const text = (name: string) => readFileSync(new URL(name, DEPLOY), "utf8");
const yamlOf = (name: string): unknown => parse(text(name), { merge: true });
const compose = yamlOf("compose.yaml");
const entries = (at: string): [string, unknown][] => Object.entries(Object(valueAt(compose, at)));
const services = entries("/services");
const list = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : Object.keys(Object(value)));

test("all five parts are there, and every image has a fixed tag", () => {
  expect(services.map(([name]) => name)).toEqual(["evenkeel", "postgres", "mongodb", "prometheus", "grafana"]);
  for (const [, service] of services) expect(valueAt(service, "/image")).toMatch(/^[a-z/]+:v?\d+\.\d+/);
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  expect(valueAt(compose, "/services/evenkeel/image")).toBe(`evenkeel:${version}`);
});

test.each(services)("%s has no more rights than it needs, and is reached from this machine only", (_name, service) => {
  expect(valueAt(service, "/cap_drop")).toEqual(["ALL"]);
  expect(valueAt(service, "/security_opt")).toEqual(["no-new-privileges:true"]);
  for (const never of ["privileged", "network_mode", "pid", "ipc", "devices"]) expect(valueAt(service, `/${never}`)).toBeUndefined();
  for (const port of list(valueAt(service, "/ports"))) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
});

test("databases have no way out, and what people look at does not share their network only", () => {
  expect(valueAt(compose, "/networks/inside/internal")).toBe(true);
  for (const [, service] of services)
    expect(valueAt(service, "/networks")).toEqual(valueAt(service, "/ports") ? ["inside", "outside"] : ["inside"]);
});

test("every volume and secret that is used is declared, every file is in deploy/, and the engine's socket is given to nobody", () => {
  const used = services.flatMap(([, service]) => list(valueAt(service, "/volumes")).map((each) => each.split(":")[0] ?? ""));
  const files = used.filter((each) => each.startsWith("."));
  expect(used.filter((each) => !each.startsWith(".")).toSorted()).toEqual(list(valueAt(compose, "/volumes")).toSorted());
  expect(files.filter((file) => !existsSync(new URL(file, DEPLOY)))).toEqual([]);
  expect(used.join(" ")).not.toContain("docker.sock");
  expect(services.flatMap(([, service]) => list(valueAt(service, "/secrets")))).toEqual(list(valueAt(compose, "/secrets")));
});

test("every password comes from the environment, and example.env names it", () => {
  const asked = [...text("compose.yaml").matchAll(/\$\{([A-Z_]+):\?/g)].map(([, name = ""]) => name);
  const told = [...text("example.env").matchAll(/^([A-Z_]+)=/gm)].map(([, name = ""]) => name);
  expect(new Set([...asked, valueAt(compose, "/secrets/metrics_token/environment")])).toEqual(new Set(told));
  for (const [, service] of services)
    for (const [name, value] of Object.entries(Object(valueAt(service, "/environment"))))
      if (/PASSWORD|SECRET|_URL/.test(name)) expect(value).toMatch(/\$\{[A-Z_]+:\?/);
});

test("Prometheus scrapes Evenkeel by the name that it answers to, with the token that compose gives it", () => {
  const prometheus = yamlOf("prometheus/prometheus.yml");
  expect(valueAt(prometheus, "/scrape_configs/0/static_configs/0/targets")).toEqual(["evenkeel:7070"]);
  expect(valueAt(compose, "/services/evenkeel/command")).toEqual(["up", "--host", "0.0.0.0", "--allowed-host", "evenkeel"]);
  expect(valueAt(prometheus, "/scrape_configs/0/authorization/credentials_file")).toBe("/run/secrets/metrics_token");
});

test("Grafana's provisioning reads Prometheus", () => {
  expect(readdirSync(new URL("grafana/provisioning", DEPLOY))).toContain("datasources");
  expect(valueAt(yamlOf("grafana/provisioning/datasources/prometheus.yaml"), "/datasources/0")).toMatchObject({
    type: "prometheus",
    url: "http://prometheus:9090",
  });
});

test("the image names no registry, and is not root", () => {
  const dockerfile = readFileSync(new URL("../Dockerfile", import.meta.url), "utf8");
  expect(dockerfile).not.toMatch(/https?:\/\/(?!127\.0\.0\.1)/);
  expect([...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image)).toEqual(
    Array.from({ length: 3 }, () => "node:24-bookworm-slim"),
  );
  expect(dockerfile).toMatch(/^USER 1000:1000$/m);
  expect(dockerfile).toMatch(/^HEALTHCHECK /m);
});
