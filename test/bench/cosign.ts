import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { peerFile, peerMissing } from '../interop/peers/table.ts';
import { partsBed } from '../fakes/partsBed.ts';
import { percentile } from './measure.ts';
import type { Row } from './row.ts';

const COUNT = 15;
const LAUNCHER = join(import.meta.dirname, '../../stepseal');

/** Whole programs on one file, process start to exit: an unmodified cosign against our endpoints, and both verifiers on its bundle. */
export async function bench(): Promise<Row[]> {
  const missing = peerMissing('cosign');
  if (missing !== undefined) {
    process.stderr.write(`${missing}\n`);
    return [];
  }
  const bed = await partsBed();
  const put = (name: string, content: Uint8Array | string): string => {
    writeFileSync(join(bed.folder, name), content);
    return join(bed.folder, name);
  };
  const { trustedRoot, signingConfig } = await bed.admin.getTrust({});
  const [trust, config, file] = [put('trusted_root.json', trustedRoot), put('signing_config.json', signingConfig), put('release.tgz', 'a release')];
  const person = await bed.person(process.execPath);
  const { last } = await person.do({ post: '/v1/token', socket: bed.sealSocket, bodies: [JSON.stringify({ audience: ['sigstore'] })] });
  const [svid] = (JSON.parse(Buffer.from(last, 'base64').toString()) as { svids: { spiffeId: string; token: string }[] }).svids;
  const bundle = put('release.tgz.sigstore.json', '');
  const env = { PATH: process.env['PATH'], HOME: bed.folder, SIGSTORE_ID_TOKEN: svid!.token };
  const cosign = peerFile('cosign');
  const sign = await wall(env, cosign, 'sign-blob', file, '--yes', '--signing-config', config, '--trusted-root', trust, '--bundle', bundle);
  const identity = ['--certificate-identity', svid!.spiffeId, '--certificate-oidc-issuer', 'https://example.org'];
  const theirs = await wall(env, cosign, 'verify-blob', file, '--bundle', bundle, '--trusted-root', trust, ...identity);
  const ours = await wall(env, LAUNCHER, 'verify', file, '--bundle', bundle, '--trusted-root', trust, '--signature-only', ...identity);
  const bare = await wall(env, cosign, 'version');
  const node = await wall(env, process.execPath, '-e', '0');
  person.end();
  await bed.close();
  return [
    { what: 'cosign sign-blob against our endpoints, wall, p50', unit: 'ms', value: sign, floor: 'cosign version', floorValue: bare, target: '≤ 250', ok: sign <= 250 },
    { what: 'cosign verify-blob of that bundle, wall, p50', unit: 'ms', value: theirs, floor: 'cosign version', floorValue: bare },
    { what: 'stepseal verify --signature-only of it, wall, p50', unit: 'ms', value: ours, floor: 'node -e 0', floorValue: node },
  ];
}

async function wall(env: NodeJS.ProcessEnv, command: string, ...args: readonly string[]): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < COUNT; i++) {
    const began = performance.now();
    const child = spawn(command, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk) => (said += chunk));
    const [code] = (await once(child, 'close')) as [number];
    times.push(performance.now() - began);
    if (code !== 0) throw new Error(`${command} ${args[0]}: ${said}`);
  }
  return percentile(times, 0.5);
}
