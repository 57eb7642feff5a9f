// An OpenID Connect provider on a free port of 127.0.0.1, for tests: oidc-provider with its own login and
// consent pages, and controls for tests under /_control/. The working directory contains the packages;
// CLIENTS and REDIRECT_URIS are JSON. Prints {"port": …} when it listens; other output goes to standard error.

import { AsyncLocalStorage } from 'node:async_hooks';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

console.info = console.warn; // oidc-provider's notices

const packages = createRequire(`${process.cwd()}/`);
const { Provider } = await import(pathToFileURL(packages.resolve('oidc-provider')));

const DEFAULTS = {
  accessTokenSeconds: 3600,
  fault: null, // of the next `times` requests to the token endpoint
  times: 1,
  delaySeconds: 1, // of the fault "slow"
  iss: null, // sent instead of the issuer in authorization responses; "" sends none
};
const FAULTS = [null, 'drop_before', 'drop_after', 'html_500', 'slow'];
let settings = { ...DEFAULTS };
let requests = [];

// ── the provider ────────────────────────────────────────────────────────────────────────────────────────

function configuration() {
  const redirectUris = JSON.parse(process.env.REDIRECT_URIS);
  return {
    clients: JSON.parse(process.env.CLIENTS).map((client) => ({
      ...client,
      redirect_uris: redirectUris,
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    })),
    scopes: ['openid', 'offline_access', 'posts:read', 'posts:write'],
    pkce: { required: () => true, methods: ['S256'] },
    // Without prompt=consent, the provider removes offline_access from the scope before it calls this.
    issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
    expiresWithSession: () => false,
    rotateRefreshToken: true,
    ttl: { AccessToken: () => settings.accessTokenSeconds },
    features: {
      devInteractions: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
    },
  };
}

// The provider accepts both methods from a client that is registered for one. Here, each must use its own.
function strictMethods(provider) {
  const current = new AsyncLocalStorage();
  provider.use((ctx, next) => current.run(ctx, next));
  const compare = provider.Client.prototype.compareClientSecret;
  provider.Client.prototype.compareClientSecret = function compareSecretAndMethod(secret) {
    const basic = current.getStore().headers.authorization !== undefined;
    const method = basic ? 'client_secret_basic' : 'client_secret_post';
    return method === this.clientAuthMethod && compare.call(this, secret);
  };
}

// The responses do not say why a grant was invalid.
function log(ctx, error) {
  console.error(`${ctx.method} ${ctx.path}: ${error.error_detail ?? error.error_description ?? error.stack}`);
}

// ── controls for tests ──────────────────────────────────────────────────────────────────────────────────

async function tokenEndpoint(ctx, next) {
  const fault = settings.times > 0 ? settings.fault : null;
  settings.times -= fault ? 1 : 0;
  if (fault === 'drop_before' || fault === 'html_500') {
    const form = new URLSearchParams(await text(ctx.req));
    record(form.get('grant_type'), fault === 'html_500' ? 500 : null, undefined, fault);
    if (fault === 'drop_before') {
      drop(ctx);
    } else {
      ctx.status = 500;
      ctx.type = 'html';
      ctx.body = '<!DOCTYPE html><title>Error</title><h1>Internal Server Error</h1>';
    }
    return;
  }
  await next();
  record(ctx.oidc?.params?.grant_type ?? null, ctx.status, ctx.body?.error, fault);
  if (fault === 'drop_after') {
    drop(ctx);
  } else if (fault === 'slow') {
    await sleep(settings.delaySeconds * 1000);
  }
}

function record(grantType, status, error, fault) {
  requests.push({ grant_type: grantType, status, ...(error && { error }), ...(fault && { fault }) });
}

function drop(ctx) {
  ctx.respond = false;
  ctx.req.socket.destroy();
}

async function authorizationResponse(ctx, next) {
  await next();
  const location = URL.canParse(ctx.response.get('location')) && new URL(ctx.response.get('location'));
  if (settings.iss !== null && location && location.searchParams.has('iss')) {
    location.searchParams.delete('iss');
    if (settings.iss) location.searchParams.set('iss', settings.iss);
    ctx.set('location', location.href);
  }
}

async function control(ctx) {
  const line = `${ctx.method} ${ctx.path}`;
  if (line === 'GET /_control/requests') {
    ctx.body = requests;
  } else if (line === 'DELETE /_control/requests') {
    requests = [];
    ctx.status = 204;
  } else if (line === 'PUT /_control/settings') {
    change(ctx, JSON.parse(await text(ctx.req)));
  } else if (line === 'DELETE /_control/settings') {
    settings = { ...DEFAULTS };
    ctx.status = 204;
  } else {
    ctx.throw(404);
  }
}

function change(ctx, changes) {
  const unknown = Object.keys(changes).filter((name) => !(name in DEFAULTS));
  ctx.assert(unknown.length === 0, 400, `no such setting: ${unknown}`);
  ctx.assert(FAULTS.includes(changes.fault ?? null), 400, `no such fault: ${changes.fault}`);
  settings = { ...settings, ...('fault' in changes && { times: DEFAULTS.times }), ...changes };
  ctx.body = settings;
}

// ── the server ──────────────────────────────────────────────────────────────────────────────────────────

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address(); // the issuer contains it
  const provider = new Provider(`http://127.0.0.1:${port}`, configuration());
  provider.use((ctx, next) => {
    if (ctx.path.startsWith('/_control/')) return control(ctx);
    return ctx.method === 'POST' && ctx.path === '/token' ? tokenEndpoint(ctx, next) : next();
  });
  provider.use(authorizationResponse);
  strictMethods(provider);
  for (const kind of ['grant', 'authorization', 'revocation', 'introspection']) {
    provider.on(`${kind}.error`, log);
  }
  provider.on('server_error', log);
  server.on('request', provider.callback());
  console.log(JSON.stringify({ port }));
});
