/** An endpoint, compiled: what gateways and releases need to know of it. */
import { err, ok, type EndpointName, type Issue, type Result } from "../std.ts";
import type { CelVariable } from "./cel.ts";
import type { ActionsSpec, GroupsSpec, InputsSpec, UndeclaredGroups } from "./endpoint-spec.ts";
import type { ExpectationSpec } from "./expectation-spec.ts";
import { compileExpectations, type CompiledExpectations } from "./expectations.ts";
import { celVariables, compileInputs, type ParseRequest } from "./inputs.ts";

/** The parts of an endpoint that decide what is asked and what may come back. */
export interface EndpointSpec {
  readonly name: EndpointName;
  readonly inputs: InputsSpec;
  readonly groups: GroupsSpec;
  readonly actions: ActionsSpec;
  /** What its inputs are expected to be, beyond what it accepts. */
  readonly expected?: readonly ExpectationSpec[];
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
  /** Not part of `parse`: what was recorded is read again whatever is expected by then. Null where nothing is. */
  readonly expectations: CompiledExpectations | null;
}

/** Checks what the schema can't say and compiles the rest. Issues have paths below `/inputs`, `/groups` and `/expectations`. */
export function compileEndpoint(spec: EndpointSpec): Result<CompiledEndpoint, readonly Issue[]> {
  const parse = compileInputs(spec);
  if (!parse.ok) return err(parse.error);
  const variables = celVariables(spec.inputs);
  const expected = compileExpectations(spec.expected ?? [], { inputs: spec.inputs, groups: spec.groups, variables });
  if (!expected.ok) return err(expected.error);
  const expectations = expected.value.list.length > 0 ? expected.value : null;
  return ok({ ...spec, parse: parse.value, variables, expectations });
}
