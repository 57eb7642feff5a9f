// Loads the built package with n8n's own loader, and runs its nodes in the contexts of n8n-core.
// Arguments: the folder of n8n's packages, and the package. Each line of stdin is {credentials, staticData, step};
// a step has a `kind` and its arguments. Each line of stdout, after a NUL, is {results} or {error}, with the new
// static data.
const path = require('path');
const http = require('http');
const readline = require('readline');

const [packages, folder] = process.argv.slice(2);
const load = (name) => require(path.join(packages, name));
const core = load('n8n-core');
const { Workflow } = load('n8n-workflow');

let input;
let staticData;
// The node data of each execution, which survives a retry.
const contexts = {};

// Resolves `={{$credentials.x}}`, which n8n does with its expression engine.
const resolved = (text) =>
  text.startsWith('=') ? text.slice(1).replace(/{{\s*\$credentials\.(\w+)\s*}}/g, (_, name) => input.credentials[name]) : text;

function credentialsHelper(types) {
  return {
    getParentTypes: () => [],
    isCredentialUsableByNode: () => true,
    getDecrypted: async () => input.credentials,
    preAuthentication: async () => undefined,
    getCredentialsProperties: (type) => types[type].type.properties,
    async authenticate(credentials, type, options) {
      const { properties } = types[type].type.authenticate;
      const headers = Object.entries(properties.headers).map(([name, text]) => [name, resolved(text)]);
      return { ...options, headers: { ...options.headers, ...Object.fromEntries(headers) } };
    },
  };
}

function setUp(loader, nodeName, parameters, { webhookUrl, timezone, onError, executionId } = {}) {
  const type = loader.nodeTypes[nodeName].type;
  const node = {
    id: 'node-1',
    name: type.description.displayName,
    type: `n8n-nodes-patchbay.${nodeName}`,
    typeVersion: 1,
    position: [0, 0],
    parameters,
    credentials: { patchbayApi: { id: 'credential-1', name: 'Patchbay' } },
    webhookId: 'webhook-1',
    onError,
  };
  const workflow = new Workflow({
    id: 'workflow-1',
    nodes: [node],
    connections: {},
    active: true,
    nodeTypes: { getByNameAndVersion: () => type, getByName: () => type },
    staticData: { [`node:${node.name}`]: staticData },
    settings: { timezone },
  });
  const additionalData = {
    credentialsHelper: credentialsHelper(loader.credentialTypes),
    webhookBaseUrl: webhookUrl ?? 'https://n8n.example/webhook',
    webhookTestBaseUrl: 'https://n8n.example/webhook-test',
    currentNodeParameters: parameters,
    executionId,
    variables: {},
    // Disables n8n's SSRF guard, because everything here is on loopback.
    ssrfBridge: undefined,
  };
  return { type, node: workflow.getNode(node.name), workflow, additionalData };
}

const webhookData = (set) => ({
  httpMethod: 'POST',
  node: set.node.name,
  path: 'webhook-1/webhook',
  webhookDescription: set.type.description.webhooks[0],
  workflowId: 'workflow-1',
  workflowExecuteAdditionalData: set.additionalData,
});

const steps = {
  load(loader) {
    return {
      nodes: Object.keys(loader.nodeTypes),
      credentials: Object.keys(loader.credentialTypes),
      options: Object.keys(loader.nodeTypes.patchbay.type.methods.loadOptions),
      description: loader.nodeTypes.patchbay.type.description,
    };
  },

  async hook(loader, step) {
    const set = setUp(loader, 'patchbayTrigger', step.parameters, step);
    const context = new core.HookContext(
      set.workflow, set.node, set.additionalData, 'trigger', 'activate', webhookData(set),
    );
    staticData = set.workflow.getStaticData('node', set.node);
    return set.type.webhookMethods.default[step.method].call(context);
  },

  async webhook(loader, step) {
    const set = setUp(loader, 'patchbayTrigger', step.parameters);
    const answer = {};
    const response = {
      status(code) { answer.status = code; return this; },
      json(body) { answer.body = body; return this; },
    };
    const request = new http.IncomingMessage(null);
    Object.assign(request, {
      method: 'POST', url: '/', headers: step.headers, rawBody: Buffer.from(step.body, 'base64'), body: {}, query: {},
    });
    Object.assign(set.additionalData, { httpRequest: request, httpResponse: response });
    const context = new core.WebhookContext(
      set.workflow, set.node, set.additionalData, 'webhook', webhookData(set), [], null,
    );
    const returned = await set.type.webhook.call(context);
    return { ...returned, answer };
  },

  async options(loader, step) {
    const set = setUp(loader, step.node, step.parameters ?? {});
    const context = new core.LoadOptionsContext(set.workflow, set.node, set.additionalData, '');
    return set.type.methods.loadOptions[step.method].call(context);
  },

  async execute(loader, step) {
    const set = setUp(loader, 'patchbay', step.parameters, step);
    const items = step.items.map((json) => ({ json }));
    const data = { main: [items] };
    const contextData = (contexts[step.executionId] ??= {});
    const context = new core.ExecuteContext(
      set.workflow, set.node, set.additionalData, 'manual',
      { resultData: { runData: {} }, executionData: { contextData } }, 0, items, data,
      { node: set.node, data, source: null }, [],
    );
    return (await set.type.execute.call(context))[0];
  },
};

async function answered(loader, line) {
  input = JSON.parse(line);
  staticData = input.staticData;
  try {
    const results = await steps[input.step.kind](loader, input.step);
    return { results, staticData };
  } catch (error) {
    return { error: { name: error.name, message: error.message, stack: error.stack }, staticData };
  }
}

async function main() {
  const loader = new core.PackageDirectoryLoader(folder);
  await loader.loadAll();
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`\0${JSON.stringify(await answered(loader, line))}\n`);
  }
  process.exit(0);
}

main();
