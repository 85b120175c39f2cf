import { randomBytes } from 'node:crypto';
import { certifyAuthority } from '../../src/ca/authority.ts';
import { issueSigningCertificate, signingIssuer } from '../../src/ca/signing.ts';
import { issueX509Svid, svidIssuer } from '../../src/ca/svid.ts';
import { generateSigner } from '../../src/keys/signer.ts';
import { systemClock, systemRng } from '../../src/keys/system.ts';
import type { Row } from './row.ts';

const TD = 'example.org';
const COUNT = 2_000;
const TARGET = 4_000;

/** Certificates per CPU second, in one thread; the floor is the bare signatures that each needs. */
export async function bench(): Promise<Row[]> {
  const make = { trustDomain: TD, now: Date.now(), rng: systemRng };
  const p256 = (): ReturnType<typeof generateSigner> => generateSigner('ecdsa-p256-sha256');
  const root = await certifyAuthority('signing-root', { ...make, signer: p256() });
  const intermediate = await certifyAuthority('signing-intermediate', { ...make, signer: p256(), issuer: root });
  const identityRoot = await certifyAuthority('identity-root', { ...make, signer: p256() });
  const svidCa = await certifyAuthority('svid-ca', { ...make, signer: p256(), issuer: identityRoot });
  let size = 0;
  const common = { trustDomain: TD, clock: systemClock, rng: systemRng };
  const signing = signingIssuer({
    ...common,
    authority: intermediate,
    root: root.certificate,
    oidcIssuer: `https://${TD}`,
    ctKey: p256(),
    ctLog: { add: ({ timestamp }) => Promise.resolve({ leafIndex: size++, timestamp }) },
  });
  const svid = svidIssuer({ ...common, authority: svidCa });
  const keys = Array.from({ length: 64 }, () => p256().spki);
  const evidence = { custody: 'seal', attempt: 'a', digest: randomBytes(32) } as const;
  const spiffeId = `spiffe://${TD}/ns/local/task/release/step/build`;
  const data = randomBytes(1_200);

  const bare = await perCpuSecond(() => intermediate.signer.sign(data));
  const signed = await perCpuSecond((index) => issueSigningCertificate(signing, { spiffeId, spki: keys[index % keys.length]!, evidence }));
  const svids = await perCpuSecond((index) => issueX509Svid(svid, { spiffeId, spki: keys[index % keys.length]!, seconds: 300 }));
  return [
    {
      what: 'signing certificates with SCT, issuing engine', unit: 'per CPU second', value: signed,
      floor: '3 bare P-256 signatures', floorValue: Math.round(bare / 3), target: `≥ ${TARGET.toLocaleString('en')}`, ok: signed >= TARGET,
    },
    { what: 'X509-SVIDs, issuing engine', unit: 'per CPU second', value: svids, floor: '1 bare P-256 signature', floorValue: bare },
  ];
}

async function perCpuSecond(once: (index: number) => unknown): Promise<number> {
  for (let index = 0; index < COUNT / 4; index++) await once(index);
  const before = process.cpuUsage();
  for (let index = 0; index < COUNT; index++) await once(index);
  const { user, system } = process.cpuUsage(before);
  return Math.round((COUNT * 1e6) / (user + system));
}
