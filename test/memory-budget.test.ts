import { afterEach, expect, test, vi } from "vitest";
import type { BlobView, EndpointView, ModelVersionView } from "../src/api/index.ts";
import { forestModel } from "./fixtures/onnx-models.ts";
import { endpoint } from "./lender.ts";
import { freshServer, problemOf, type FreshServer } from "./server.ts";

let server: FreshServer | undefined;
afterEach(() => server?.drop());

// Where the system doesn't tell what a process takes, nothing is refused.
test.runIf(process.platform === "linux")(
  "a release that doesn't fit is refused at deploy and the route is as it was; `status` shows figures",
  async () => {
    server = await freshServer({ memoryBudgetBytes: 50e6 });
    const { admin } = server;
    await admin.post("/v1/apply", { yaml: JSON.stringify(endpoint) });
    await admin.post("/v1/feature-sets", {
      name: "loans",
      features: [
        { name: "income", from: "income" },
        { name: "zero", cel: "0.0" },
      ],
    });
    const release = async (seed: number) => {
      const blob = await admin.put<BlobView>("/v1/blobs", forestModel({ width: 2, trees: 100, depth: 6, seed }));
      const { model, number } = await admin.post<ModelVersionView>("/v1/models/credit/versions", { blob: blob.id, featureSet: "loans/1" });
      return admin.post<{ readonly release: string }>("/v1/endpoints/loans/releases", {
        model: `${model}/${number}`,
        policy: {
          bands: [
            { from: 0, action: "deny" },
            { from: 0.5, action: "approve" },
          ],
        },
      });
    };
    const route = () => admin.get<EndpointView>("/v1/endpoints/loans");
    await release(1);
    await admin.post("/v1/endpoints/loans/promote", { release: "r2", reason: "it is better" });
    const before = await route();
    expect(before.memory).toMatchObject({ budgetBytes: 50e6, loaded: [{ release: "r2", isAtRest: false }] });
    expect(before.memory.usedBytes).toBeGreaterThan(10e6);
    expect(before.memory.loaded[0]?.residentBytes).toBeGreaterThan(before.memory.loaded[0]?.ownBytes ?? 0);

    const problem = await problemOf(release(2));
    expect(problem).toMatchObject({ status: 422, errors: [{ expected: "a release that fits into the memory budget of 50 MB" }] });
    expect(problem.errors?.[0]?.got).toMatch(/^one that needs \d+ MB, and in use are \d+ MB by r2$/);
    const after = await route();
    expect(after.route).toEqual(before.route);
    await vi.waitFor(async () => expect((await route()).memory.loaded).toHaveLength(1), 10_000);
  },
);
