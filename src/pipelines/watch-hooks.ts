/* What is put into the steps' programs so that they tell which files they open: text, as it runs in whatever Python or Node a step uses. */

/** Where the hooks write, one access a line. */
export const READS_VARIABLE = "EVENKEEL_READS";

/**
 * Python imports `sitecustomize` when it starts, also in child processes. An audit hook (PEP 578) can't be taken out again and sees what
 * libraries written in Python open. Whatever other `sitecustomize` there is still gets its turn.
 */
export const PYTHON_HOOK = `import os, sys

def _watch():
    target = os.environ.get("${READS_VARIABLE}")
    if not target or not hasattr(sys, "addaudithook"):
        return
    import json
    out = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.set_inheritable(out, False)
    seen = set()
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    def tell(kind, path):
        if isinstance(path, int) or path is None:
            return
        full = os.path.join(os.getcwd(), os.fsdecode(path))
        if (kind, full) in seen or len(seen) > 100000:
            return
        seen.add((kind, full))
        os.write(out, (kind + "\\t" + json.dumps(full) + "\\n").encode())
    def hook(event, args):
        try:
            if event == "open":
                path, mode, flags = args
                writes = (flags or 0) & writing or (isinstance(mode, str) and any(c in mode for c in "wax+"))
                tell("W" if writes else "R", path)
            elif event in ("os.rename", "shutil.move", "shutil.copyfile"):
                tell("R", args[0])
                tell("W", args[1])
            elif event == "sqlite3.connect":
                tell("R", args[0])
        except Exception:
            pass
    os.write(out, b"H\\tpython\\n")
    sys.addaudithook(hook)

def _next():
    import importlib.machinery, importlib.util
    here = os.path.dirname(os.path.abspath(__file__))
    others = [p for p in sys.path if os.path.abspath(p or ".") != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec and spec.loader:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)

try:
    _watch()
finally:
    _next()
`;

/** Loaded by \`--require\`, which every Node knows. Functions of \`fs\` are wrapped; what is loaded as a module is told by a load hook. */
export const NODE_HOOK = `"use strict";
const fs = require("node:fs");
const path = require("node:path");
const url = require("node:url");
const module_ = require("node:module");
const target = process.env.${READS_VARIABLE};
if (target) {
  const out = fs.openSync(target, "a", 0o600);
  const write = fs.writeSync;
  const seen = new Set();
  const tell = (kind, file) => {
    try {
      if (file instanceof URL) file = url.fileURLToPath(file);
      else if (Buffer.isBuffer(file)) file = file.toString();
      if (typeof file !== "string") return;
      const full = path.resolve(file);
      const key = kind + full;
      if (seen.has(key) || seen.size > 100000) return;
      seen.add(key);
      write(out, kind + "\\t" + JSON.stringify(full) + "\\n");
    } catch {}
  };
  const kindOf = (flags) => (flags === undefined || flags === null || flags === "r" || flags === 0 || flags === "rs" || typeof flags === "function" ? "R" : "W");
  const optionFlags = (options) => kindOf(options && typeof options === "object" ? (options.flag ?? options.flags) : undefined);
  const reads = (args) => tell(optionFlags(args[1]), args[0]);
  const writes = (args) => tell("W", args[0]);
  const moves = (args) => (tell("R", args[0]), tell("W", args[1]));
  const before = { open: (args) => tell(kindOf(args[1]), args[0]), readFile: reads, createReadStream: reads, writeFile: writes, appendFile: writes, createWriteStream: writes, truncate: writes, copyFile: moves, rename: moves, cp: moves };
  const wrap = (holder, name, tells) => {
    const original = holder[name];
    if (typeof original !== "function") return;
    const wrapped = function (...args) {
      tells(args);
      return Reflect.apply(original, this, args);
    };
    holder[name] = Object.defineProperties(wrapped, Object.getOwnPropertyDescriptors(original));
  };
  for (const [name, tells] of Object.entries(before)) {
    for (const each of [name, name + "Sync"]) wrap(fs, each, tells);
    wrap(fs.promises, name, tells);
  }
  if (typeof module_.registerHooks === "function") {
    module_.registerHooks({
      load(address, context, next) {
        if (address.startsWith("file:")) tell("R", new URL(address));
        return next(address, context);
      },
    });
  }
  module_.syncBuiltinESMExports();
  write(out, "H\\tnode\\n");
}
`;
