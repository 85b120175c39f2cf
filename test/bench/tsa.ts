import { createHash, randomBytes } from 'node:crypto';
import { certifyAuthority } from '../../src/ca/authority.ts';
import { generateSigner } from '../../src/keys/signer.ts';
import { systemClock, systemRng } from '../../src/keys/system.ts';
import { timestampAuthority } from '../../src/tsa/authority.ts';
import { respondToDer } from '../../src/tsa/respond.ts';
import { imprintOf } from '../../src/x509/imprint.ts';
import { buildTimestampRequest } from '../../src/x509/timestampRequest.ts';
import type { Row } from './row.ts';

const COUNT = 4_000;
const TARGET = 6_000;

/** Timestamps per CPU second, DER in and DER out; the floor is the bare signature. */
export async function bench(): Promise<Row[]> {
  const make = { trustDomain: 'example.org', now: Date.now(), rng: systemRng };
  const root = await certifyAuthority('signing-root', { ...make, signer: generateSigner('ecdsa-p256-sha256') });
  const authority = await certifyAuthority('tsa', { ...make, signer: generateSigner('ecdsa-p256-sha256'), issuer: root });
  const tsa = timestampAuthority({ authority: () => authority, clock: systemClock, rng: systemRng });
  const requests = Array.from({ length: 64 }, (_, index) =>
    buildTimestampRequest({ imprint: imprintOf('sha256', createHash('sha256').update(String(index)).digest()), certReq: true, nonce: Uint8Array.of(1, index) }),
  );
  const data = randomBytes(300);
  const bare = await perCpuSecond(() => authority.signer.sign(data));
  const value = await perCpuSecond((index) => respondToDer(tsa, requests[index % requests.length]!));
  return [
    {
      what: 'timestamps, engine, DER to DER', unit: 'per CPU second', value,
      floor: '1 bare P-256 signature', floorValue: bare, target: `≥ ${TARGET.toLocaleString('en')}`, ok: value >= TARGET,
    },
  ];
}

async function perCpuSecond(once: (index: number) => unknown): Promise<number> {
  for (let index = 0; index < COUNT / 4; index++) await once(index);
  const before = process.cpuUsage();
  for (let index = 0; index < COUNT; index++) await once(index);
  const { user, system } = process.cpuUsage(before);
  return Math.round((COUNT * 1e6) / (user + system));
}
