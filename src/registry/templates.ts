import { StepsealError } from '../base/errors.ts';
import { segmentFault, spiffeId, type SpiffeId } from '../spiffe/id.ts';
import { parseIdentityPattern, type IdentityPattern } from '../spiffe/pattern.ts';
import { ROADS, type Attested, type Road, type Source } from './facts.ts';
import { assertMayProduce, ownerOf } from './reserved.ts';

/** Attested facts become an identity by this; plain data, so that an operator can read what the server would do. */
export interface IdentityTemplate {
  readonly name: string;
  readonly source: Source;
  /** attributes that must have exactly these values */
  readonly when?: Readonly<Record<string, string>>;
  /** such as `/local/user/{user}`: `{name}` is one segment; `/{path**}`, for steps, a whole path */
  readonly path: string;
  readonly roads: readonly Road[];
  /** for callers with several identities (Workload API) */
  readonly hint: string;
  /** life of X509- and JWT-SVIDs */
  readonly svidSeconds: number;
}

const ATTRIBUTES: Record<Source, readonly string[]> = {
  step: ['path'],
  unix: ['uid', 'gid', 'user', 'path', 'exeSha256'],
  person: ['uid', 'gid', 'user', 'path', 'exeSha256'],
  agent: ['attestor', 'id'],
  role: ['role'],
};

const HOUR = 3600;
/** DESIGN §2: step SVIDs live at most 5 minutes */
const STEP_SECONDS = 300;
/** a step's whole name comes from its attestor */
const STEP_PATH = '/{path**}';

/** The templates of the embedded default. `stepRoads` opts steps into more than `seal`. */
export function localTemplates(stepRoads: readonly Road[] = ['seal']): IdentityTemplate[] {
  return [
    { name: 'local-step', source: 'step', path: STEP_PATH, roads: stepRoads, hint: 'step', svidSeconds: STEP_SECONDS },
    { name: 'local-person', source: 'person', path: '/local/user/{user}', roads: ['seal', 'bearer'], hint: 'person', svidSeconds: HOUR },
    { name: 'agent-self', source: 'agent', path: '/spire/agent/{attestor}/{id}', roads: ['seal'], hint: 'agent', svidSeconds: HOUR },
    { name: 'provenance', source: 'role', when: { role: 'provenance' }, path: '/stepseal/provenance', roads: ['seal'], hint: 'provenance', svidSeconds: HOUR },
    { name: 'server', source: 'role', when: { role: 'server' }, path: '/spire/server', roads: [], hint: 'server', svidSeconds: HOUR },
  ];
}

/** Refuses a template that could never be right, before anything is matched. Throws IDENTITY_TEMPLATE_INVALID, IDENTITY_RESERVED. */
export function checkTemplate(template: IdentityTemplate): void {
  const fail = (expected: string, found: string): never => {
    throw new StepsealError('IDENTITY_TEMPLATE_INVALID', `the identity template ${template.name} cannot be used`, { expected, found });
  };
  if (!/^[a-z][a-z0-9-]{0,62}$/.test(template.name)) fail('a name of lower-case letters, digits and dashes', template.name);
  const known = ATTRIBUTES[template.source];
  for (const name of Object.keys(template.when ?? {})) if (!known.includes(name)) fail(`attributes ${known.join(', ')}`, name);
  for (const road of template.roads) if (!ROADS.includes(road)) fail(`roads ${ROADS.join(', ')}`, road);
  const most = template.source === 'step' ? STEP_SECONDS : HOUR;
  if (!Number.isSafeInteger(template.svidSeconds) || template.svidSeconds < 60 || template.svidSeconds > most) {
    fail(`an SVID life of 60 to ${most} seconds`, String(template.svidSeconds));
  }
  const segments = segmentsOf(template);
  for (const [index, segment] of segments.entries()) {
    const name = /^\{([A-Za-z0-9]+)(\*\*)?\}$/.exec(segment);
    if (name === null && segmentFault(segment) !== undefined) fail('segments that are literal, {attribute} or {attribute**}', segment);
    if (name && !known.includes(name[1]!)) fail(`attributes ${known.join(', ')}`, segment);
    // a name that begins with what a tenant chooses could begin with anybody's
    if (name && index === 0 && template.source !== 'step') fail('a literal first segment', segment);
    if (name?.[2] && template.source !== 'step') fail('{path**} for steps only', segment);
  }
  if (template.source === 'step') {
    if (template.path !== STEP_PATH) fail(STEP_PATH, template.path);
    return;
  }
  const owner = ownerOf(segments);
  if (owner !== undefined && owner !== template.source) assertMayProduce(template.source, segments, template.name);
}

/** The identities that a template can produce, as a pattern. */
export function patternOf(template: IdentityTemplate, trustDomain: string): IdentityPattern {
  // the step source is held to /ns whatever its attestor says
  if (template.source === 'step') return parseIdentityPattern(`spiffe://${trustDomain}/ns/**`);
  const segments = segmentsOf(template).map((segment) => (segment.startsWith('{') ? '*' : segment));
  return parseIdentityPattern(`spiffe://${trustDomain}/${segments.join('/')}`);
}

/**
 * The identity of an attested caller, or undefined where the template does not apply. What SPIFFE forbids in a path is
 * refused, never rewritten. Throws SPIFFE_ID_INVALID, IDENTITY_RESERVED.
 */
export function produce(template: IdentityTemplate, trustDomain: string, attested: Attested): SpiffeId | undefined {
  if (attested.source !== template.source) return undefined;
  for (const [name, value] of Object.entries(template.when ?? {})) if (attested.attributes[name] !== value) return undefined;
  const segments: string[] = [];
  for (const segment of segmentsOf(template)) {
    const name = /^\{([A-Za-z0-9]+)/.exec(segment)?.[1];
    const value = name === undefined ? segment : attested.attributes[name];
    if (value === undefined) return undefined;
    segments.push(...(typeof value === 'string' ? [value] : value));
  }
  const id = spiffeId(trustDomain, ...segments);
  assertMayProduce(template.source, id.segments, template.name);
  return id;
}

function segmentsOf(template: IdentityTemplate): string[] {
  return template.path.slice(1).split('/');
}
