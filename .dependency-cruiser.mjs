const rooms = ["cli", "api", "redress", "diagnosis", "releases", "monitoring", "serving", "decisions", "pipelines", "registry", "access", "store"];
const error = (name, from, to) => ({ name, severity: "error", from, to });
const downwards = rooms.slice(1).map((room, i) =>
  error(`${room}-looks-down`, { path: `^src/${room}/` }, { path: `^src/(${rooms.slice(0, i + 1).join("|")})/` }));
export default {
  options: { tsPreCompilationDeps: true, tsConfig: { fileName: "tsconfig.json" }, doNotFollow: { path: "node_modules" } },
  forbidden: [
    ...downwards,
    error("through-the-door", { path: "^src/([^/]+)(/|[.]ts$)" }, { path: "^src/[^/]+/.+", pathNot: ["^src/$1/", "^src/[^/]+/index[.]ts$"] }),
    error("not-own-door", { path: "^src/([^/]+)/(?!index)" }, { path: "^src/$1/index[.]ts$" }),
    error("no-cycle", {}, { circular: true }),
  ],
};
