import { describe, expect, it } from 'vitest';
import { assertPredicateAllowed, type StatementRole } from '../../../src/registry/predicates.ts';

const ROLES: readonly StatementRole[] = ['caller', 'step-end', 'agent', 'provenance', 'verifier'];
const OWNERS: readonly [string, StatementRole][] = [
  ['https://slsa.dev/provenance/v0.1', 'provenance'],
  ['https://slsa.dev/provenance/v0.2', 'provenance'],
  ['https://slsa.dev/provenance/v1', 'provenance'],
  ['https://slsa.dev/provenance/v1.0', 'provenance'],
  ['https://slsa.dev/verification_summary/v0.2', 'verifier'],
  ['https://slsa.dev/verification_summary/v1', 'verifier'],
  ['https://stepseal.dev/step/v1', 'step-end'],
  ['https://stepseal.dev/node-evidence/v1', 'agent'],
];

describe('reserved predicate types', () => {
  describe.each(OWNERS)('%s', (type, owner) => {
    it.each(ROLES)(`for the role %s is ${owner} only`, (role) => {
      if (role === owner) assertPredicateAllowed(type, role);
      else expect(() => assertPredicateAllowed(type, role)).toThrow(expect.objectContaining({ code: 'PREDICATE_RESERVED' }));
    });
  });

  it.each([
    'https://slsa.dev/provenance',
    'https://slsa.dev/provenance/',
    'http://slsa.dev/provenance/v1',
    'HTTPS://SLSA.dev/Provenance/v1',
    'https://slsa.dev/provenance/v1#x',
    'https://slsa.dev/provenance?v1',
    ' https://slsa.dev/provenance/v1\n',
    'https://slsa.dev/provenance/v1\nx',
    'https://stepseal.dev/step/v2',
    'https://stepseal.dev/',
    'http://stepseal.dev',
    'https://STEPSEAL.dev/step/v1',
  ])('%j is not for a caller, however it is spelt', (type) => {
    expect(() => assertPredicateAllowed(type, 'caller')).toThrow(expect.objectContaining({ code: 'PREDICATE_RESERVED' }));
  });

  it.each(['https://cyclonedx.org/bom', 'https://spdx.dev/Document/v2.3', 'https://slsa.dev/provenances/v1', 'https://stepseal.development/x', 'https://in-toto.io/attestation/test-result/v0.1'])(
    '%s is for anybody',
    (type) => {
      for (const role of ROLES) assertPredicateAllowed(type, role);
    },
  );
});
