import { StepsealError } from '../base/errors.ts';
import { decodePem, encodePem } from '../der/pem.ts';
import { parseCertificate, type Certificate } from '../x509/certificate.ts';
import { readOwnFile, writePrivateFile } from './files.ts';

const LABEL = 'CERTIFICATE';

/** The certificates of a PEM file, oldest first, or undefined where there is none. Throws KEY_INVALID, KEY_PERMISSIONS. */
export async function readCertificates(path: string): Promise<Certificate[] | undefined> {
  const text = await readOwnFile(path);
  if (text === undefined) return undefined;
  try {
    return decodePem(text, LABEL).map(parseCertificate);
  } catch (cause) {
    throw new StepsealError('KEY_INVALID', `${path} does not hold certificates`, { expected: 'PEM blocks CERTIFICATE', cause });
  }
}

/** Writes certificates, oldest first, in place of what was there. */
export async function writeCertificates(path: string, certificates: readonly Certificate[]): Promise<void> {
  await writePrivateFile(path, certificates.map((certificate) => encodePem(LABEL, certificate.der)).join(''));
}
