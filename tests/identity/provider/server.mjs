// An identity provider for the tests: oidc-provider as it comes, with its clients and people from the first argument (JSON).
// It prints its issuer in one line once it listens, and ends when its standard input does.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

const told = JSON.parse(process.argv[2]);
const tls = told.pair && { key: readFileSync(told.pair), cert: readFileSync(told.pair), requestCert: true, rejectUnauthorized: false };
const server = tls ? https.createServer(tls) : http.createServer();
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const issuer = `${tls ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;

const keys = [];
for (const alg of ['RS256', 'ES256', 'EdDSA']) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  keys.push({ ...(await exportJWK(privateKey)), alg, use: 'sig', kid: `key-${alg}` });
}

const people = new Map(Object.entries(told.people));
const names = ['badge', 'ori', 'groups', 'unit', 'terminal'];
const pkce = { grant_types: ['authorization_code'], response_types: ['code'], redirect_uris: told.redirects };

const provider = new Provider(issuer, {
  jwks: { keys },
  clients: [
    { ...pkce, client_id: 'console', client_secret: 'a secret of the console', backchannel_logout_uri: told.logout,
      backchannel_logout_session_required: true },
    { ...pkce, client_id: 'console-key', token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [told.key] },
      id_token_signed_response_alg: 'EdDSA' },
    { ...pkce, client_id: 'terminal', token_endpoint_auth_method: 'none' },
    { ...pkce, client_id: 'terminal-bound', token_endpoint_auth_method: 'none',
      tls_client_certificate_bound_access_tokens: Boolean(tls) },
  ],
  claims: { openid: ['sub', 'auth_time', 'acr', 'amr', ...names] },
  conformIdTokenClaims: false,
  fetch: (url, { dispatcher: _, ...options }) => fetch(url, options), // its own dispatcher calls nobody on this machine
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA'] },
  findAccount: (_ctx, id) => people.has(id) && { accountId: id, claims: () => ({ sub: id, ...people.get(id) }) },
  extraTokenClaims(ctx, token) {
    const { authTime: auth_time, amr, acr, sessionUid: sid } = ctx.oidc.entities.AuthorizationCode;
    return { ...people.get(token.accountId), auth_time, amr, acr, sid };
  },
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid');
    if (ctx.oidc.params.resource) grant.addResourceScope(ctx.oidc.params.resource, 'query');
    await grant.save();
    return grant;
  },
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: Boolean(told.logout) },
    mTLS: { enabled: Boolean(tls), certificateBoundAccessTokens: true,
      getCertificate: (ctx) => ctx.req.socket.getPeerX509Certificate() },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (_ctx, resource, client) => ({
        scope: 'query', audience: resource, accessTokenTTL: 600, accessTokenFormat: 'jwt',
        jwt: { sign: { alg: client.clientId === 'terminal' ? 'RS256' : 'ES256' } },
      }),
    },
  },
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
});

const form = '<form method="post"><input name="login"><input name="methods"><button>Sign in</button></form>';
const answer = provider.callback();
server.on('request', async (request, response) => {
  if (!request.url.startsWith('/interaction/')) return answer(request, response);
  if (request.method !== 'POST') return response.setHeader('Content-Type', 'text/html').end(form);
  const parts = [];
  for await (const part of request) parts.push(part);
  const sent = new URLSearchParams(Buffer.concat(parts).toString());
  const login = { accountId: sent.get('login'), amr: sent.get('methods').split(' '), acr: 'urn:example:strong' };
  return provider.interactionFinished(request, response, people.has(login.accountId) ? { login } : { error: 'access_denied' });
});

console.log(issuer);
process.stdin.resume().on('end', () => process.exit(0));
