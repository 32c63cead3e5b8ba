/** Declarations in YAML: all documents or none. */
import { reaches, type Principal } from "../access/index.ts";
import { nearest, shown } from "../checked.ts";
import type { Sinks } from "../decisions/index.ts";
import type { Alerts } from "../monitoring/index.ts";
import type { Releases } from "../releases/index.ts";
import type { Issue } from "../std.ts";
import { parseYaml } from "../yaml.ts";
import { applyAlerts, unknownChannels } from "./alert-declarations.ts";
import { byOf } from "./by.ts";
import type { ChangeView } from "./endpoint-view.ts";
import { ProblemError } from "./problem.ts";
import { releaseProblem } from "./release-problems.ts";
import { refuseNewTarget } from "./server-targets.ts";
import { notFound } from "./server.ts";
import { applySink } from "./sink-routes.ts";

/** What declarations can be about. */
export interface ApplyParts {
  readonly releases: Releases;
  readonly sinks: Sinks;
  readonly alerts: Alerts;
}

/** First a dry run over everything, so that a mistake in the last document changes nothing either. */
export async function apply(
  { releases, sinks, alerts }: ApplyParts,
  yaml: string,
  principal: Principal,
  dryRun: boolean,
): Promise<ChangeView[]> {
  const documents = parseYaml(yaml);
  if (!documents.ok) throw new ProblemError("invalid", "The YAML can't be read. Nothing was changed.", documents.error);
  if (documents.value.length === 0)
    throw new ProblemError("invalid", undefined, [{ path: "", expected: "at least one document", got: "none" }]);
  for (const { value } of documents.value) {
    const endpoint = kindOf(value) === "endpoint" ? nameIn(value) : endpointIn(value);
    if (endpoint !== undefined && !reaches(principal, endpoint)) throw notFound(`endpoint "${endpoint}"`);
  }
  const channels = documents.value.flatMap(({ value }) => (kindOf(value) === "channel" ? (nameIn(value) ?? []) : []));
  const run = async (isDry: boolean): Promise<ChangeView[]> => {
    const changes: ChangeView[] = [];
    for (const document of documents.value) {
      const { value } = document;
      const locate = (issue: Issue) => document.locate(issue);
      const kind = kindOf(value);
      if (kind === undefined) throw new ProblemError("invalid", "Nothing was changed.", [locate(kindIssue(value))]);
      const by = byOf(principal, { reason: "applied a file" });
      if (kind === "sink") {
        changes.push(
          await applySink(sinks, value, {
            principal,
            locate,
            isDry,
            declared: changes.filter((each) => each.kind === "endpoint").map(({ name }) => name),
          }),
        );
      } else if (kind === "channel" || kind === "alerts") {
        const names = (of: ChangeView["kind"]) => changes.filter((each) => each.kind === of).map(({ name }) => name);
        const before = { channels: names("channel"), endpoints: names("endpoint") };
        changes.push(await applyAlerts(alerts, kind, value, { principal, locate, isDry, before }));
      } else if (kind === "endpoint") {
        const unknown = await unknownChannels(alerts, value, channels);
        if (unknown.length > 0) throw new ProblemError("invalid", "Nothing was changed.", unknown.map(locate));
        const done = await releases.applyEndpoint(value, by, isDry);
        if (!done.ok) throw locatedProblem(done.error, locate);
        changes.push({
          kind,
          name: done.value.name,
          release: done.value.release === null ? null : `r${done.value.release}`,
          change: done.value.change,
        });
      } else {
        const endpoint = endpointIn(value);
        // In a dry run its endpoint may not be there yet; what can be said of it then was said by its schema.
        if (isDry && endpoint !== undefined && !releases.room(endpoint).ok && changes.some(({ name }) => name === endpoint)) continue;
        const room = endpoint === undefined ? undefined : releases.room(endpoint);
        refuseNewTarget(principal, room?.ok ? room.value : undefined, value);
        const done = await releases.createRelease(value, by, isDry);
        if (!done.ok) throw locatedProblem(done.error, locate);
        // Applied again it is known already, and its rollout is what people have made of it since.
        const rollout = rolloutIn(value);
        if (!isDry && done.value.isNew && rollout !== undefined) {
          const started = await releases.startRollout(done.value.info.endpoint, done.value.info.id, rollout, by);
          if (!started.ok) throw startProblem(done.value.info.number, started.error);
        }
        changes.push({
          kind,
          name: done.value.info.name,
          release: `r${done.value.info.number}`,
          change: done.value.isNew ? "created" : "unchanged",
        });
      }
    }
    return changes;
  };
  const planned = await run(true);
  return dryRun ? planned : run(false);
}

function locatedProblem(
  refusal: Parameters<typeof releaseProblem>[0],
  locate: (issue: ProblemError["issues"][number]) => ProblemError["issues"][number],
): ProblemError {
  const { kind, message, issues } = releaseProblem(refusal);
  return new ProblemError(kind, `${message} Nothing was changed.`, issues.map(locate));
}

/** The release is known by then: what is refused is only its way to people. */
function startProblem(number: number, refusal: Parameters<typeof releaseProblem>[0]): ProblemError {
  const { kind, message, issues } = releaseProblem(refusal);
  return new ProblemError(kind, `r${number} was made, but its rollout was not started: ${message}`, issues);
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null;
const KINDS = ["endpoint", "release", "sink", "channel", "alerts"] as const;
const kindOf = (value: unknown) => KINDS.find((kind) => isObject(value) && value["kind"] === kind);
function kindIssue(value: unknown): Issue {
  const kind = isObject(value) ? value["kind"] : undefined;
  const near = typeof kind === "string" ? nearest(kind, KINDS) : undefined;
  const mistyped = isObject(value) && kind === undefined ? Object.keys(value).find((key) => nearest(key, ["kind"])) : undefined;
  return {
    path: mistyped === undefined ? "/kind" : `/${mistyped}`,
    expected: mistyped === undefined ? `one of ${KINDS.join(", ")}` : KINDS.map((one) => `kind: ${one}`).join(", "),
    got: mistyped === undefined ? (isObject(value) ? shown(kind) : shown(value)) : "an unknown field",
    ...(near === undefined && mistyped === undefined ? {} : { hint: `did you mean "${near ?? "kind"}"?` }),
  };
}

const nameIn = (value: unknown) => (isObject(value) && typeof value["name"] === "string" ? value["name"] : undefined);
const endpointIn = (value: unknown) => (isObject(value) && typeof value["endpoint"] === "string" ? value["endpoint"] : undefined);
const rolloutIn = (value: unknown) => (isObject(value) ? value["rollout"] : undefined);
