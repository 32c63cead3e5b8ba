#!/usr/bin/env node
// Plain old JavaScript, so that any Node can say what is missing.
var v = process.versions.node.split(".").map(Number);
if (v[0] < 22 || (v[0] === 22 && v[1] < 18)) {
  console.error("evenkeel needs Node 22.18 or newer; this is Node " + process.versions.node + " (in a checkout, `npm run evenkeel -- …` brings its own)");
  process.exit(1);
}
var path = require("node:path");
var fs = require("node:fs");
var url = require("node:url");
var root = path.join(__dirname, "..");
var source = path.join(root, "src", "cli", "main.ts");
import(url.pathToFileURL(fs.existsSync(source) ? source : path.join(root, "dist", "cli", "main.js")).href);
