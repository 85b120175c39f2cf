import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findAgent, listAgents, noteAgentSvid, registerAgent } from '../../../src/store/agents.ts';
import {
  artifactsOfAttempt,
  attemptsOfRun,
  closeAttempt,
  type NewAttempt,
  openAttempt,
  readAttempt,
  readOpenAttempt,
  takeFinalClaim,
} from '../../../src/store/attempts.ts';
import { certifyKey } from '../../../src/store/certifiedKeys.ts';
import { type Database, openDatabase } from '../../../src/store/database.ts';
import { addJoinToken, redeemJoinToken } from '../../../src/store/joinTokens.ts';
import { createRun, finishRun, readRun, runOfTaskRun } from '../../../src/store/runs.ts';

const AGENT = 'spiffe://example.org/spire/agent/join_token/7f0a';
let folder: string;
let db: Database;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stepseal-db-'));
  db = openDatabase(folder);
});

afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true });
});

function refusal(code: string): unknown {
  return expect.objectContaining({ code });
}

describe('a join token', () => {
  beforeEach(() => addJoinToken(db, { token: 'a-random-token', now: 1000, expires: 2000 }));

  it('works once and registers the agent', () => {
    redeemJoinToken(db, { token: 'a-random-token', now: 1999, agentId: AGENT });
    expect(findAgent(db, AGENT)).toEqual({ id: AGENT, attestation: 'join_token', joined: 1999, serial: undefined, notAfter: undefined });
    expect(() => redeemJoinToken(db, { token: 'a-random-token', now: 1999, agentId: `${AGENT}2` })).toThrow(refusal('JOIN_TOKEN_USED'));
    expect(listAgents(db).length).toBe(1);
  });

  it('is refused when it is late, and stays late when the clock goes back', () => {
    expect(() => redeemJoinToken(db, { token: 'a-random-token', now: 2000, agentId: AGENT })).toThrow(refusal('JOIN_TOKEN_EXPIRED'));
    expect(() => redeemJoinToken(db, { token: 'a-random-token', now: 1500, agentId: AGENT })).toThrow(refusal('JOIN_TOKEN_EXPIRED'));
    expect(findAgent(db, AGENT)).toBeUndefined();
  });

  it('that was never made is refused', () => {
    expect(() => redeemJoinToken(db, { token: 'another', now: 1500, agentId: AGENT })).toThrow(refusal('JOIN_TOKEN_INVALID'));
  });

  it('is not used up where the agent cannot be registered', () => {
    registerAgent(db, { id: AGENT, attestation: 'join_token', now: 1 });
    expect(() => redeemJoinToken(db, { token: 'a-random-token', now: 1500, agentId: AGENT })).toThrow(refusal('STORE_FAILED'));
    redeemJoinToken(db, { token: 'a-random-token', now: 1500, agentId: `${AGENT}2` });
  });

  it('is not in the file', () => {
    db.close();
    expect(readFileSync(join(folder, 'stepseal.db')).includes('a-random-token')).toBe(false);
    db = openDatabase(folder);
  });
});

describe('an agent', () => {
  it('has its newest SVID noted', () => {
    registerAgent(db, { id: AGENT, attestation: 'join_token', now: 1 });
    expect(noteAgentSvid(db, { id: AGENT, serial: '0a', notAfter: 99 })).toBe(true);
    expect(findAgent(db, AGENT)).toMatchObject({ serial: '0a', notAfter: 99 });
    expect(noteAgentSvid(db, { id: `${AGENT}2`, serial: '0a', notAfter: 99 })).toBe(false);
  });
});

const ATTEMPT: NewAttempt = {
  id: 'attempt-1',
  taskRunUid: 'task-run-1',
  step: 'build',
  attempt: 0,
  agentId: AGENT,
  spiffeId: 'spiffe://example.org/ns/local/task/release/step/build',
  evidence: '{}',
};

function startRun(): void {
  registerAgent(db, { id: AGENT, attestation: 'join_token', now: 1 });
  createRun(db, { uid: 'run-1', plan: '{"steps":[]}', now: 10, taskRuns: [{ uid: 'task-run-1', pipelineTask: 'p', task: 'release' }, { uid: 'task-run-2', pipelineTask: 'q', task: 'test' }] });
}

describe('a run', () => {
  beforeEach(startRun);

  it('is read as it was created', () => {
    expect(readRun(db, 'run-1')).toMatchObject({
      plan: '{"steps":[]}',
      created: 10,
      finished: undefined,
      provenance: undefined,
      taskRuns: [{ uid: 'task-run-1', pipelineTask: 'p', task: 'release' }, { uid: 'task-run-2', pipelineTask: 'q', task: 'test' }],
    });
    expect(runOfTaskRun(db, 'task-run-2')).toBe('run-1');
    expect(() => readRun(db, 'run-2')).toThrow(refusal('RUN_UNKNOWN'));
    expect(() => runOfTaskRun(db, 'run-1')).toThrow(refusal('RUN_UNKNOWN'));
  });

  it('is finished once, with provenance or without', () => {
    expect(() => finishRun(db, { uid: 'run-2', now: 20, view: '{}', provenance: undefined })).toThrow(refusal('RUN_UNKNOWN'));
    finishRun(db, { uid: 'run-1', now: 20, view: '{"ok":true}', provenance: Buffer.from('{}') });
    expect(readRun(db, 'run-1')).toMatchObject({ finished: 20, view: '{"ok":true}', provenance: new Uint8Array(Buffer.from('{}')) });
    expect(() => finishRun(db, { uid: 'run-1', now: 21, view: '{}', provenance: undefined })).toThrow(refusal('RUN_FINISHED'));
  });

  it('that is finished opens no attempt', () => {
    finishRun(db, { uid: 'run-1', now: 20, view: '{}', provenance: undefined });
    expect(() => openAttempt(db, ATTEMPT, 30)).toThrow(refusal('RUN_FINISHED'));
  });
});

describe('an attempt', () => {
  beforeEach(() => {
    startRun();
    openAttempt(db, ATTEMPT, 30);
  });

  it('is open until it is closed', () => {
    expect(readOpenAttempt(db, 'attempt-1')).toMatchObject({ ...ATTEMPT, opened: 30, claimed: undefined, closed: undefined });
    const artifacts = [{ name: 'x.tgz', sha256: '00'.repeat(32), bundle: new Uint8Array([1]) }, { name: 'a.json', sha256: '11'.repeat(32), bundle: new Uint8Array([2]) }];
    closeAttempt(db, { id: 'attempt-1', now: 40, reason: 'ended', claimBundle: new Uint8Array([3]), evidenceBundle: new Uint8Array([4]), artifacts });
    expect(() => readOpenAttempt(db, 'attempt-1')).toThrow(refusal('ATTEMPT_ENDED'));
    expect(readAttempt(db, 'attempt-1')).toMatchObject({ closed: 40, reason: 'ended', claimBundle: new Uint8Array([3]), evidenceBundle: new Uint8Array([4]) });
    expect(artifactsOfAttempt(db, 'attempt-1')).toEqual(artifacts);
    expect(() => closeAttempt(db, { id: 'attempt-1', now: 41, reason: 'lost' })).toThrow(refusal('ATTEMPT_ENDED'));
  });

  it('makes one final claim, after which Seal is closed', () => {
    takeFinalClaim(db, 'attempt-1', 35);
    expect(() => readOpenAttempt(db, 'attempt-1')).toThrow(refusal('ATTEMPT_ENDED'));
    expect(() => takeFinalClaim(db, 'attempt-1', 36)).toThrow(refusal('CLAIM_EQUIVOCATION'));
    closeAttempt(db, { id: 'attempt-1', now: 40, reason: 'ended' });
    expect(readAttempt(db, 'attempt-1')).toMatchObject({ claimed: 35, closed: 40, claimBundle: undefined });
  });

  it('makes no claim after its end', () => {
    closeAttempt(db, { id: 'attempt-1', now: 40, reason: 'lost' });
    expect(() => takeFinalClaim(db, 'attempt-1', 41)).toThrow(refusal('ATTEMPT_ENDED'));
  });

  it('exists once; the next one of the step is another', () => {
    expect(() => openAttempt(db, { ...ATTEMPT, id: 'attempt-2' }, 31)).toThrow(refusal('ATTEMPT_EXISTS'));
    openAttempt(db, { ...ATTEMPT, id: 'attempt-2', attempt: 1 }, 31);
    openAttempt(db, { ...ATTEMPT, id: 'attempt-3', taskRunUid: 'task-run-2' }, 32);
    expect(attemptsOfRun(db, 'run-1').map(({ id }) => id)).toEqual(['attempt-1', 'attempt-2', 'attempt-3']);
  });

  it('is refused for a TaskRun that nobody created and unknown by a made-up id', () => {
    expect(() => openAttempt(db, { ...ATTEMPT, taskRunUid: 'made-up' }, 31)).toThrow(refusal('RUN_UNKNOWN'));
    expect(() => readAttempt(db, 'made-up')).toThrow(refusal('ATTEMPT_UNKNOWN'));
    expect(() => closeAttempt(db, { id: 'made-up', now: 1, reason: 'ended' })).toThrow(refusal('ATTEMPT_UNKNOWN'));
  });

  it('is lost when the run is finished without its end', () => {
    openAttempt(db, { ...ATTEMPT, id: 'attempt-2', attempt: 1 }, 31);
    closeAttempt(db, { id: 'attempt-1', now: 40, reason: 'ended' });
    finishRun(db, { uid: 'run-1', now: 50, view: '{}', provenance: undefined });
    expect(readAttempt(db, 'attempt-2')).toMatchObject({ closed: 50, reason: 'lost' });
    expect(readAttempt(db, 'attempt-1')).toMatchObject({ closed: 40, reason: 'ended' });
  });
});

describe('a certified key', () => {
  const use = { spki: Buffer.from('a public key'), spiffeId: 'spiffe://example.org/a', attemptId: '1' };

  it('may come again for the same identity and attempt', () => {
    expect(certifyKey(db, use, 1)).toBe('first');
    expect(certifyKey(db, use, 2)).toBe('again');
  });

  it.each([{ spiffeId: 'spiffe://example.org/b' }, { attemptId: '2' }])('is never certified for another: %o', (other) => {
    certifyKey(db, use, 1);
    expect(() => certifyKey(db, { ...use, ...other }, 2)).toThrow(refusal('KEY_ALREADY_CERTIFIED'));
    expect(certifyKey(db, { ...use, ...other, spki: Buffer.from('another key') }, 2)).toBe('first');
  });
});
