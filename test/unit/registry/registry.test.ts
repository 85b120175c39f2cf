import { describe, expect, it } from 'vitest';
import type { Code } from '../../../src/base/codes.ts';
import { isStepsealError } from '../../../src/base/errors.ts';
import type { AttestedFacts, Road, StepFacts, WorkloadFacts } from '../../../src/registry/facts.ts';
import { allowAll, createRegistry, type Allowance, type Registry } from '../../../src/registry/registry.ts';
import { localTemplates, type IdentityTemplate } from '../../../src/registry/templates.ts';

const TD = 'example.org';

function code(action: () => unknown): Code | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (isStepsealError(error)) return error.code;
    throw error;
  }
}

function local(stepRoads?: readonly Road[], extra: readonly IdentityTemplate[] = []): Registry {
  const templates = [...localTemplates(stepRoads), ...extra];
  return createRegistry({ trustDomain: TD, templates, allow: allowAll(templates, TD) });
}

function withTemplate(template: Partial<IdentityTemplate>, allow: readonly Allowance[] = []): Registry {
  const full: IdentityTemplate = { name: 'extra', source: 'unix', path: '/workload/x', roads: [], hint: 'x', svidSeconds: 3600, ...template };
  return createRegistry({ trustDomain: TD, templates: [full], allow });
}

const step = (path: string, open = true): StepFacts => ({ kind: 'step', attemptId: 'a1', path: path.slice(1).split('/'), open });
const workload = (fields: Partial<WorkloadFacts> = {}): WorkloadFacts => ({
  kind: 'workload',
  uid: 1000,
  gid: 1000,
  user: 'ann',
  path: '/usr/bin/bash',
  operator: false,
  ...fields,
});
const STEP = '/ns/local/task/release/step/build';
const names = (registry: Registry, facts: AttestedFacts): string[] => registry.identify(facts).map((identity) => identity.id.uri);

describe('identities of attested callers', () => {
  it('an open attempt is the step that its references name, by the road seal, for 5 minutes', () => {
    const [identity, ...others] = local().identify(step(STEP));
    expect(others).toEqual([]);
    expect(identity).toMatchObject({ template: 'local-step', roads: ['seal'], svidSeconds: 300, hint: 'step' });
    expect(identity!.id.uri).toBe(`spiffe://${TD}${STEP}`);
  });

  it('a closed attempt is nobody', () => {
    expect(names(local(), step(STEP, false))).toEqual([]);
  });

  it('the operator outside every step is the person, by seal and bearer', () => {
    const identities = local().identify(workload({ operator: true }));
    expect(identities.map((identity) => [identity.id.uri, identity.roads])).toEqual([[`spiffe://${TD}/local/user/ann`, ['seal', 'bearer']]]);
  });

  it('a workload that is not the operator has no identity unless a template says so', () => {
    expect(names(local(), workload())).toEqual([]);
    const template: IdentityTemplate = {
      name: 'web', source: 'unix', when: { uid: '33', path: '/usr/sbin/nginx' }, path: '/web/{user}', roads: [], hint: 'web', svidSeconds: 3600,
    };
    const registry = local(undefined, [template]);
    expect(names(registry, workload({ uid: 33, user: 'www-data', path: '/usr/sbin/nginx' }))).toEqual([`spiffe://${TD}/web/www-data`]);
    expect(names(registry, workload({ uid: 34, user: 'www-data', path: '/usr/sbin/nginx' }))).toEqual([]);
    expect(names(registry, workload({ uid: 33, user: 'www-data', path: '/tmp/nginx' }))).toEqual([]);
  });

  it('a template that asks for the digest of the executable does not match without one', () => {
    const registry = withTemplate({ when: { exeSha256: 'ab' }, path: '/web' });
    expect(names(registry, workload())).toEqual([]);
    expect(names(registry, workload({ exeSha256: 'ab' }))).toEqual([`spiffe://${TD}/web`]);
  });

  it('agents and roles have their own names, and the server signs nothing', () => {
    const registry = local();
    expect(names(registry, { kind: 'agent', attestor: 'join_token', id: '7f3a' })).toEqual([`spiffe://${TD}/spire/agent/join_token/7f3a`]);
    expect(names(registry, { kind: 'role', role: 'provenance' })).toEqual([`spiffe://${TD}/stepseal/provenance`]);
    expect(registry.identify({ kind: 'role', role: 'server' })[0]).toMatchObject({ template: 'server', roads: [] });
  });

  it.each(['ann smith', 'DOMAIN\\ann', 'ann@example.org', '', '..', 'änn', 'ann/../bob', 'ann%2f'])('a user named %j is refused, never rewritten', (user) => {
    expect(code(() => local().identify(workload({ operator: true, user })))).toBe('SPIFFE_ID_INVALID');
  });

  it.each([
    '/ns/local/task/release/build',
    '/ns/local/taskrun/r1',
    '/ns/local/taskrun/r1/step/x',
    '/ns/step/x',
    '/stepseal/provenance',
    '/spire/server',
    '/spire/agent/join_token/1',
    '/local/user/ann',
    '/other/step/build',
  ])('the step source cannot produce %s', (path) => {
    expect(code(() => local().identify(step(path)))).toBe('IDENTITY_RESERVED');
  });
});

describe('templates', () => {
  it.each(['/stepseal/provenance', '/stepseal/x', '/spire/server', '/spire/agent/x/y', '/local/user/root', '/ns/a/task/b/step/c', '/ns/a/taskrun/b'])(
    'an operator’s template for %s is refused at the start',
    (path) => expect(code(() => withTemplate({ path }))).toBe('IDENTITY_RESERVED'),
  );

  it('a template that only becomes reserved by what it is filled with is refused then', () => {
    const registry = withTemplate({ path: '/ns/a/{user}/b' });
    expect(code(() => registry.identify(workload({ user: 'task' })))).toBe('IDENTITY_RESERVED');
    expect(names(registry, workload({ user: 'sa' }))).toEqual([`spiffe://${TD}/ns/a/sa/b`]);
  });

  it.each([
    ['a first segment that the caller fills', { path: '/{user}/x' }],
    ['an unknown attribute', { path: '/x/{group}' }],
    ['an attribute of another source', { path: '/x/{id}' }],
    ['a wildcard', { path: '/x/*' }],
    ['an empty segment', { path: '/x//y' }],
    ['a whole path for a workload', { path: '/x/{path**}' }],
    ['an unknown condition', { when: { role: 'server' } }],
    ['a name with capitals', { name: 'Extra' }],
    ['an SVID of a day', { svidSeconds: 86_400 }],
    ['an SVID of no time', { svidSeconds: 0 }],
    ['a step SVID of an hour', { source: 'step' as const, path: '/{path**}' }],
    ['a step path of the operator’s', { source: 'step' as const, path: '/x/{path**}', svidSeconds: 300 }],
    ['an unknown road', { roads: ['mail' as Road] }],
  ])('refuses %s', (_, template) => {
    expect(code(() => withTemplate(template))).toBe('IDENTITY_TEMPLATE_INVALID');
  });

  it('refuses two templates of one name', () => {
    const twice = [...localTemplates(), ...localTemplates()];
    expect(code(() => createRegistry({ trustDomain: TD, templates: twice, allow: [] }))).toBe('IDENTITY_TEMPLATE_INVALID');
  });
});

describe('who may have a signing certificate', () => {
  const person = `spiffe://${TD}/local/user/ann`;
  const build = `spiffe://${TD}${STEP}`;

  it('the person signs by seal and by bearer, not in-step', () => {
    const registry = local();
    expect(registry.authorizeSigning({ spiffeId: person, road: 'bearer' })).toBe('local-person');
    expect(registry.authorizeSigning({ spiffeId: person, road: 'seal' })).toBe('local-person');
    expect(code(() => registry.authorizeSigning({ spiffeId: person, road: 'in-step' }))).toBe('ROAD_NOT_ALLOWED');
  });

  it('a step signs by seal alone, unless it was opted in', () => {
    const request = { spiffeId: build, road: 'bearer' as const, attemptOpen: true };
    expect(local().authorizeSigning({ ...request, road: 'seal' })).toBe('local-step');
    expect(code(() => local().authorizeSigning(request))).toBe('ROAD_NOT_ALLOWED');
    expect(local(['seal', 'bearer']).authorizeSigning(request)).toBe('local-step');
  });

  it('every road of a step closes with its attempt', () => {
    for (const attemptOpen of [false, undefined]) {
      expect(code(() => local(['seal', 'in-step', 'bearer']).authorizeSigning({ spiffeId: build, road: 'seal', ...(attemptOpen === undefined ? {} : { attemptOpen }) }))).toBe(
        'ROAD_NOT_ALLOWED',
      );
    }
  });

  it.each([
    `spiffe://${TD}/nobody`,
    `spiffe://${TD}/spire/server`,
    `spiffe://${TD}/stepseal/verifier`,
    `spiffe://${TD}/stepseal/provenance/x`,
    `spiffe://${TD}/local/user/ann/x`,
    `spiffe://${TD}`,
    'spiffe://example.org.evil/local/user/ann',
    'spiffe://example.com/local/user/ann',
  ])('denies %s by default', (spiffeId) => {
    expect(code(() => local().authorizeSigning({ spiffeId, road: 'seal', attemptOpen: true }))).toBe('IDENTITY_NOT_ALLOWED');
  });

  it('an empty allow list denies everybody', () => {
    const registry = createRegistry({ trustDomain: TD, templates: localTemplates(), allow: [] });
    expect(code(() => registry.authorizeSigning({ spiffeId: person, road: 'bearer' }))).toBe('IDENTITY_NOT_ALLOWED');
    expect(registry.identify(workload({ operator: true }))[0]?.roads).toEqual([]);
  });

  it('a row narrows a template by pattern and by road', () => {
    const allow: Allowance[] = [{ template: 'local-person', identities: `spiffe://${TD}/local/user/ann`, roads: ['seal'] }];
    const registry = createRegistry({ trustDomain: TD, templates: localTemplates(), allow });
    expect(registry.authorizeSigning({ spiffeId: person, road: 'seal' })).toBe('local-person');
    expect(code(() => registry.authorizeSigning({ spiffeId: person, road: 'bearer' }))).toBe('ROAD_NOT_ALLOWED');
    expect(code(() => registry.authorizeSigning({ spiffeId: `spiffe://${TD}/local/user/bob`, road: 'seal' }))).toBe('IDENTITY_NOT_ALLOWED');
  });

  it('a row cannot give a road that the template does not list', () => {
    const allow: Allowance[] = [{ template: 'local-step', identities: `spiffe://${TD}/ns/**`, roads: ['seal', 'in-step', 'bearer'] }];
    const registry = createRegistry({ trustDomain: TD, templates: localTemplates(), allow });
    expect(code(() => registry.authorizeSigning({ spiffeId: build, road: 'in-step', attemptOpen: true }))).toBe('ROAD_NOT_ALLOWED');
  });

  it('a wide row of a workload template does not reach reserved names', () => {
    const allow: Allowance[] = [{ template: 'extra', identities: `spiffe://${TD}/**`, roads: ['seal'] }];
    const registry = withTemplate({ path: '/web/{user}', roads: ['seal'] }, allow);
    expect(registry.authorizeSigning({ spiffeId: `spiffe://${TD}/web/x`, road: 'seal' })).toBe('extra');
    for (const path of ['/stepseal/provenance', '/local/user/ann', STEP, '/webs/x']) {
      expect(code(() => registry.authorizeSigning({ spiffeId: `spiffe://${TD}${path}`, road: 'seal', attemptOpen: true }))).toBe('IDENTITY_NOT_ALLOWED');
    }
  });

  it.each([
    ['an unknown template', { template: 'nobody', identities: `spiffe://${TD}/x`, roads: ['seal' as const] }],
    ['another trust domain', { template: 'extra', identities: 'spiffe://example.com/x', roads: ['seal' as const] }],
    ['an unknown road', { template: 'extra', identities: `spiffe://${TD}/x`, roads: ['mail' as Road] }],
  ])('refuses a row with %s', (_, row) => {
    expect(code(() => withTemplate({}, [row]))).toBe('IDENTITY_TEMPLATE_INVALID');
  });

  it('refuses a row that is no identity pattern', () => {
    expect(code(() => withTemplate({}, [{ template: 'extra', identities: 'spiffe://*/x', roads: ['seal'] }]))).toBe('IDENTITY_PATTERN_INVALID');
  });

  it.each(['spiffe://example.org/a/../b', 'SPIFFE://example.org/a', 'https://example.org/a', 'spiffe://example.org/a\n'])('refuses %j, which is no SPIFFE ID', (spiffeId) => {
    expect(code(() => local().authorizeSigning({ spiffeId, road: 'seal' }))).toBe('SPIFFE_ID_INVALID');
  });
});
