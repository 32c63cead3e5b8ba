# Evenkeel as an image: a build stage, a stage with what runs, and the image. `docker build -t evenkeel .`; how to run it: README.md.
FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY src src
COPY web web
RUN npm run build

# No package needs its install script: better-sqlite3 and onnxruntime-node bring their binaries, for every platform; only this one's are kept.
FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && arch="$(node -p process.arch)" \
  && find node_modules/onnxruntime-node/bin -mindepth 3 -maxdepth 3 -type d ! -path "*/linux/$arch" -exec rm -rf {} + \
  && find node_modules/onnxruntime-node/bin -type f \( -name "*cuda*" -o -name "*tensorrt*" \) -delete \
  && find node_modules/better-sqlite3/prebuilds -type f ! -name "linux-$arch.node" -delete \
  && rm -rf node_modules/better-sqlite3/deps node_modules/better-sqlite3/src node_modules/@types \
  && find node_modules -type f \( -name "*.map" -o -name "*.d.ts" -o -name "*.d.mts" -o -name "*.d.cts" -o -name "*.md" \) -delete

FROM node:24-bookworm-slim
ENV NODE_ENV=production EVENKEEL_DATA=/data
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /src/dist dist
COPY package.json LICENSE NOTICE ./
COPY bin bin
# By its number, so that an orchestrator sees that it isn't root.
RUN chmod 755 bin/evenkeel.cjs && ln -s /app/bin/evenkeel.cjs /usr/local/bin/evenkeel && install -d -o 1000 -g 1000 /data
USER 1000:1000
VOLUME /data
EXPOSE 7070
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:7070/healthz/ready').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/bin/evenkeel.cjs"]
CMD ["up", "--host", "0.0.0.0"]
