import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/**
 * `vite build web` writes `dist/web`, which the server gives out under a policy without `unsafe-inline`: so nothing may be inlined into
 * the page, neither the module preload polyfill nor small files as data addresses. `vite web` is for working on the pages: it asks a
 * server started by `evenkeel up` for the data.
 */
export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  build: { outDir: "../dist/web", emptyOutDir: true, target: "es2023", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: { proxy: { "/v1": process.env["EVENKEEL_URL"] ?? "http://127.0.0.1:7070" } },
});
