import type { NewTokenView, TokenView } from "../api/index.ts";
import { styled, table } from "./io.ts";
import { UsageError, verb, wholeNumber } from "./verb.ts";

export const token = verb({
  name: "token",
  help: `make, list and revoke access tokens

usage: evenkeel token create --name <who> --role <role> [--endpoint <name>]… [--grant <right>]… [--days <n>]
       evenkeel token ls
       evenkeel token revoke <id>

roles: viewer, analyst, operator, admin (people) · application, outcomes, trainer (programs)

examples:
  evenkeel token create --name "loans web" --role application --endpoint loans
  evenkeel token create --name s.lindqvist --role analyst --grant protected:read
  evenkeel token revoke 3f2a91c0b4d7`,
  words: 2,
  options: {
    name: { type: "string" },
    role: { type: "string" },
    endpoint: { type: "string", multiple: true },
    grant: { type: "string", multiple: true },
    days: { type: "string" },
  },
  async run({ positionals: [act, id], values }, { client, io }) {
    switch (act) {
      case "create": {
        if (!values.name || !values.role) throw new UsageError("--name and --role are needed");
        const made = await client().post<NewTokenView>("/v1/tokens", {
          name: values.name,
          role: values.role,
          ...(values.endpoint ? { endpoints: values.endpoint } : {}),
          ...(values.grant ? { grants: values.grant } : {}),
          ...(values.days ? { expiresInDays: wholeNumber("--days", values.days, { min: 1 }) } : {}),
        });
        if (values.json) io.out(JSON.stringify(made));
        else {
          io.out(made.token);
          io.note(
            `token ${made.id}${made.expiresAt ? `, until ${made.expiresAt.slice(0, 10)}` : ""}. ${styled(io, "yellow", "It is shown this once.")}`,
          );
        }
        return 0;
      }
      case "ls":
      case undefined: {
        const { tokens } = await client().get<{ readonly tokens: readonly TokenView[] }>("/v1/tokens");
        if (values.json) io.out(JSON.stringify(tokens));
        else {
          const rows = tokens.map((one) => [
            one.id,
            one.name,
            one.role,
            one.state,
            one.endpoints?.join(", ") ?? "all",
            one.grants.join(", ") || "–",
            one.expiresAt?.slice(0, 10) ?? "never",
          ]);
          io.out(table(io, ["id", "name", "role", "state", "endpoints", "grants", "expires"], rows));
        }
        return 0;
      }
      case "revoke":
        if (!id) throw new UsageError("which token? `evenkeel token ls` shows their ids");
        await client().delete(`/v1/tokens/${encodeURIComponent(id)}`);
        io.out(values.json ? JSON.stringify({ revoked: id }) : `token ${id} is revoked: here at once, on other gateways within 5 s`);
        return 0;
      default:
        throw new UsageError(`token can create, ls or revoke, not "${act}"`);
    }
  },
});
