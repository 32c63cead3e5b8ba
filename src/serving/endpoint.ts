/** An endpoint, compiled: what gateways and releases need to know of it. */
import { err, ok, type EndpointName, type Issue, type Result } from "../std.ts";
import type { CelVariable } from "./cel.ts";
import type { ActionsSpec, GroupsSpec, InputsSpec, UndeclaredGroups } from "./endpoint-spec.ts";
import { celVariables, compileInputs, type ParseRequest } from "./inputs.ts";

/** The parts of an endpoint that decide what is asked and what may come back. */
export interface EndpointSpec {
  readonly name: EndpointName;
  readonly inputs: InputsSpec;
  readonly groups: GroupsSpec;
  readonly actions: ActionsSpec;
  /** Default `refuse`. */
  readonly undeclaredGroups?: UndeclaredGroups;
  /** Why thresholds may differ by group; they may not where nothing is said. */
  readonly allowGroupThresholds?: string;
}

/** Made by `compileEndpoint`; safe to keep and to share. */
export interface CompiledEndpoint extends EndpointSpec {
  readonly parse: ParseRequest;
  /** The inputs as CEL expressions see them. */
  readonly variables: ReadonlyMap<string, CelVariable>;
}

/** Checks what the schema can't say and compiles the rest. Issues have paths below `/inputs` and `/groups`. */
export function compileEndpoint(spec: EndpointSpec): Result<CompiledEndpoint, readonly Issue[]> {
  const parse = compileInputs(spec);
  return parse.ok ? ok({ ...spec, parse: parse.value, variables: celVariables(spec.inputs) }) : err(parse.error);
}
