import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { ModelVersionView } from "../api/index.ts";
import { moment } from "./format.ts";
import { table } from "./io.ts";
import { UsageError, verb } from "./verb.ts";

const path = (model: string) => `/v1/models/${encodeURIComponent(model)}`;

export const models = verb({
  name: "models",
  help: `register and list models

usage: evenkeel models ls [<model>]
       evenkeel models register <file.onnx> --name <model> [--features <fs:…>] [--run <id>]
       evenkeel models alias <model> <alias> <number> --reason <text>

examples:
  evenkeel models register model.onnx --name credit
  evenkeel models alias credit champion 3 --reason "best on held-out clients"`,
  options: { name: { type: "string" }, features: { type: "string" }, run: { type: "string" }, reason: { type: "string" } },
  async run({ positionals: [act, first, second, third], values }, { client, io, cwd }) {
    switch (act) {
      case "ls":
      case undefined: {
        if (!first) {
          const { models: all } = await client().get<{ readonly models: readonly { readonly name: string }[] }>("/v1/models");
          io.out(
            values.json
              ? JSON.stringify(all)
              : table(
                  io,
                  ["model"],
                  all.map(({ name }) => [name]),
                ),
          );
          return 0;
        }
        const { versions } = await client().get<{ readonly versions: readonly ModelVersionView[] }>(path(first));
        io.out(
          values.json
            ? JSON.stringify(versions)
            : table(
                io,
                ["version", "features", "run", "registered", "id"],
                versions.map((one) => [one.number, one.features.length, one.run, moment(one.createdAt), one.id]),
              ),
        );
        return 0;
      }
      case "register": {
        if (!first || !values.name) throw new UsageError("a file and --name are needed");
        const { id } = await client().put<{ readonly id: string }>("/v1/blobs", await readFile(resolve(cwd, first)));
        const made = await client().post<ModelVersionView>(`${path(values.name)}/versions`, {
          blob: id,
          ...(values.features ? { featureSet: values.features } : {}),
          ...(values.run ? { run: values.run } : {}),
        });
        io.out(values.json ? JSON.stringify(made) : `${made.model}/${made.number}  ${made.id}`);
        return 0;
      }
      case "alias": {
        if (!first || !second || !third || !values.reason)
          throw new UsageError("a model, an alias, a version's number and --reason are needed");
        await client().post(`${path(first)}/aliases`, { alias: second, number: Number(third), reason: values.reason });
        io.out(
          values.json ? JSON.stringify({ model: first, alias: second, number: Number(third) }) : `${first}@${second} is ${first}/${third}`,
        );
        return 0;
      }
      default:
        throw new UsageError(`models can ls, register or alias, not "${act}"`);
    }
  },
});
