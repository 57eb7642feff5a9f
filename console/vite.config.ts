import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// `make console` builds into layers/console/patchbay_console; `make console-dev` serves the sources, with the API of
// the local stack (`make run`) behind the same origin.
export default defineConfig({
  base: "/console/",
  publicDir: false,
  plugins: [react()],
  resolve: {
    alias: {
      "@app": folder("src/app"),
      "@api": folder("src/api"),
      "@components": folder("src/components"),
      "@strings": folder("src/strings/en"),
      "@sdk": folder("../sdks/typescript/src"),
    },
  },
  build: {
    outDir: process.env.CONSOLE_OUT ?? folder("../layers/console/patchbay_console"),
    emptyOutDir: true,
    target: "es2022",
    manifest: "build.json",
    reportCompressedSize: false,
    // The Content-Security-Policy allows no data: URL but in images, and no inline script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: ["index.html", "connect.html", "return.html"].map(folder) },
  },
  server: {
    host: "127.0.0.1",
    port: Number(process.env.CONSOLE_PORT ?? 5173),
    strictPort: true,
    fs: { allow: [folder(".."), folder("../.tools/node/console/node_modules")] },
    proxy: { "/api": process.env.PATCHBAY_URL ?? "http://127.0.0.1:8787" },
  },
});
