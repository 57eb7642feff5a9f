// Runs steps of the app in Zapier's own platform core, one after the other.
// stdin: {packages, definition, base: [from, to], steps: [{method, bundle, callbackUrl}]}; `method` can be
// "validate". stdout: a list of {results} or {error: {name, message}}.
const path = require('path');

const input = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const load = (name) => require(path.join(input.packages, name));

const [from, to] = input.base;
const App = JSON.parse(JSON.stringify(input.definition).replaceAll(from, to));

function validate() {
  const found = load('zapier-platform-schema').validateAppDefinition(App).errors.map(String);
  for (const [kind, schema] of [['triggers', 'Trigger'], ['creates', 'Create'], ['searches', 'Search']]) {
    const { validate } = load(`zapier-platform-schema/lib/schemas/${schema}Schema`);
    for (const [key, operation] of Object.entries(App[kind] || {})) {
      found.push(...validate(operation).errors.map((error) => `${kind}.${key}: ${error}`));
    }
  }
  return found;
}

// Zapier's storage of `z.cursor`: one cursor for all steps. (The core's own mock does not store it.)
function cursorsOf() {
  let cursor = null;
  const server = require('http').createServer((request, response) => {
    let body = '';
    request.on('data', (part) => (body += part));
    request.on('end', () => {
      const { id, method, params } = JSON.parse(body);
      if (method === 'set_cursor') [cursor] = params;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ id, result: method === 'get_cursor' ? cursor : null }));
    });
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}/`));
  });
}

async function main() {
  process.env.NODE_ENV = 'test'; // otherwise, the core does not report a missing ID
  const handler = load('zapier-platform-core/src/tools/create-lambda-handler')(App);
  const rpc = await cursorsOf();
  const done = [];
  for (const step of input.steps) {
    if (step.method === 'validate') {
      done.push({ results: validate() });
      continue;
    }
    try {
      const answer = await handler({
        command: 'execute',
        method: step.method,
        bundle: { inputData: {}, authData: {}, meta: {}, ...step.bundle },
        callback_url: step.callbackUrl,
        rpc_base: rpc,
        token: 'test',
      });
      done.push({ results: answer.results });
    } catch (error) {
      done.push({ error: { name: error.name, message: error.message } });
    }
  }
  return done;
}

main().then((done) => {
  process.stdout.write(`\n${JSON.stringify(done)}\n`);
  process.exit(0);
});
