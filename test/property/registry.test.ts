import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isStepsealError } from '../../src/base/errors.ts';
import { attestedOf, type WorkloadFacts } from '../../src/registry/facts.ts';
import { ownerOf } from '../../src/registry/reserved.ts';
import { allowAll, createRegistry } from '../../src/registry/registry.ts';
import { localTemplates, patternOf, produce, type IdentityTemplate } from '../../src/registry/templates.ts';
import { matchIdentity } from '../../src/spiffe/pattern.ts';

const TD = 'example.org';
const word = fc.constantFrom('stepseal', 'spire', 'local', 'ns', 'task', 'step', 'taskrun', 'inline', 'user', 'agent', 'server', 'x', '..', '', 'a b', 'é');
const segment = fc.oneof(word, fc.string({ maxLength: 8 }));
const placeholder = fc.constantFrom('{user}', '{uid}', '{gid}');
const templates = fc
  .array(fc.oneof(word, placeholder), { minLength: 1, maxLength: 6 })
  .map((segments): IdentityTemplate => ({ name: 'any', source: 'unix', path: `/${segments.join('/')}`, roads: ['seal'], hint: '', svidSeconds: 300 }));

const path = fc
  .tuple(fc.constantFrom(['local', 'user'], ['spire', 'agent'], ['ns', 'x', 'task', 'y', 'step'], ['ns', 'x', 'inline', 'y'], ['stepseal'], ['stepseal', 'provenance'], []), fc.array(word, { maxLength: 3 }))
  .map(([begin, end]) => [...begin, ...end]);

const workload = (user: string): WorkloadFacts => ({ kind: 'workload', uid: 1, gid: 1, user, path: '/bin/x', operator: true });

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (isStepsealError(error)) return undefined;
    throw error;
  }
}

describe('templates', () => {
  it('of an operator produce no reserved name, whatever they say and whatever they are filled with', () => {
    fc.assert(
      fc.property(templates, segment, (template, user) => {
        const registry = attempt(() => createRegistry({ trustDomain: TD, templates: [template], allow: allowAll([template], TD) }));
        for (const { id } of attempt(() => registry?.identify(workload(user))) ?? []) expect(ownerOf(id.segments)).toBeUndefined();
      }),
    );
  });

  it('produce what their own pattern matches, so that the allow list speaks of the same names', () => {
    fc.assert(
      fc.property(templates, segment, (template, user) => {
        for (const attested of attestedOf(workload(user))) {
          const id = attempt(() => produce(template, TD, attested));
          if (id !== undefined) expect(matchIdentity(patternOf(template, TD), id).matched).toBe(true);
        }
      }),
    );
  });

  it('of the embedded default give a signing certificate to nobody outside their names', () => {
    const all = localTemplates();
    const registry = createRegistry({ trustDomain: TD, templates: all, allow: allowAll(all, TD) });
    let granted = 0;
    fc.assert(
      fc.property(path, (segments) => {
        const spiffeId = `spiffe://${TD}${segments.map((one) => `/${one}`).join('')}`;
        const template = attempt(() => registry.authorizeSigning({ spiffeId, road: 'seal', attemptOpen: true }));
        granted += template === undefined ? 0 : 1;
        if (template !== undefined) expect({ 'local-step': 'step', 'local-person': 'person', 'agent-self': 'agent', provenance: 'role' }[template]).toBe(ownerOf(segments));
      }),
      { numRuns: 500 },
    );
    expect(granted).toBeGreaterThan(0);
  });
});
