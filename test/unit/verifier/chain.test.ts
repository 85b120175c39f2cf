import { describe, expect, test } from 'vitest';
import { sha256 } from '../../../src/base/bytes.ts';
import { jsPrehash } from '../../../src/keys/prehash.ts';
import { parseIdentityPattern } from '../../../src/spiffe/pattern.ts';
import { verifyChain } from '../../../src/verifier/chain.ts';
import { loadTrust } from '../../../src/verifier/trust.ts';
import { createUniverse, encodedTrust } from '../../fakes/universe.ts';
import { makeRun } from '../../fakes/universeRun.ts';

const universe = await createUniverse();
const run = await makeRun(universe);
const context = { trust: loadTrust(encodedTrust(universe)), prehash: jsPrehash };
const artifact = { sha256: sha256(run.artifact) };
const identity = parseIdentityPattern(run.identity);

describe('the whole chain', () => {
  test('holds for an untouched run', () => {
    const verdict = verifyChain(run.files, { artifact, identity }, context);
    expect(verdict.status).toBe('ok');
  });
});
