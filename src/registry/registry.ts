import { StepsealError } from '../base/errors.ts';
import { parseSpiffeId, type SpiffeId } from '../spiffe/id.ts';
import { matchIdentity, parseIdentityPattern, type IdentityPattern } from '../spiffe/pattern.ts';
import { attestedOf, ROADS, type AttestedFacts, type Road } from './facts.ts';
import { ownerOf } from './reserved.ts';
import { checkTemplate, patternOf, produce, type IdentityTemplate } from './templates.ts';

/** A row of the allow list: identities of this template that match may have signing certificates by these roads. */
export interface Allowance {
  readonly template: string;
  /** identity pattern; becomes the certificate's URI SAN */
  readonly identities: string;
  readonly roads: readonly Road[];
}

/** What an attested caller is, just now. */
export interface Identity {
  readonly id: SpiffeId;
  readonly template: string;
  readonly hint: string;
  /** by which it may sign: what the template lists and the allow list grants */
  readonly roads: readonly Road[];
  readonly svidSeconds: number;
}

export interface SigningRequest {
  readonly spiffeId: string;
  readonly road: Road;
  /** for step names: whether the attempt that asks is still open */
  readonly attemptOpen?: boolean;
}

export interface Registry {
  /** The identities of a caller; none for a closed attempt. Throws SPIFFE_ID_INVALID, IDENTITY_RESERVED. */
  identify(facts: AttestedFacts): Identity[];
  /** Deny by default. Returns the template's name. Throws IDENTITY_NOT_ALLOWED, ROAD_NOT_ALLOWED, SPIFFE_ID_INVALID. */
  authorizeSigning(request: SigningRequest): string;
}

interface Row {
  readonly template: IdentityTemplate;
  readonly produces: IdentityPattern;
  readonly allowances: readonly { readonly pattern: IdentityPattern; readonly roads: readonly Road[] }[];
}

/** The allow list that grants each template of `templates` its own roads, and nothing beyond its own names. */
export function allowAll(templates: readonly IdentityTemplate[], trustDomain: string): Allowance[] {
  return templates
    .filter((template) => template.roads.length > 0)
    .map((template) => ({ template: template.name, identities: patternOf(template, trustDomain).text, roads: template.roads }));
}

/** Templates and allow list, checked together. Throws IDENTITY_TEMPLATE_INVALID, IDENTITY_RESERVED, IDENTITY_PATTERN_INVALID. */
export function createRegistry(options: {
  readonly trustDomain: string;
  readonly templates: readonly IdentityTemplate[];
  readonly allow: readonly Allowance[];
}): Registry {
  const rows = options.templates.map((template): Row => {
    checkTemplate(template);
    const allowances = options.allow.filter((row) => row.template === template.name);
    return {
      template,
      produces: patternOf(template, options.trustDomain),
      allowances: allowances.map((row) => ({ pattern: parseIdentityPattern(row.identities), roads: row.roads })),
    };
  });
  checkRows(rows, options.allow, options.trustDomain);

  const grantedRoads = (row: Row, id: SpiffeId): readonly Road[] =>
    row.template.roads.filter((road) => row.allowances.some((allowance) => allowance.roads.includes(road) && matchIdentity(allowance.pattern, id).matched));

  return {
    identify: (facts) =>
      attestedOf(facts).flatMap((attested) =>
        rows.flatMap((row) => {
          const { name, hint, svidSeconds } = row.template;
          const id = produce(row.template, options.trustDomain, attested);
          return id === undefined ? [] : [{ id, template: name, hint, roads: grantedRoads(row, id), svidSeconds }];
        }),
      ),

    authorizeSigning({ spiffeId, road, attemptOpen }) {
      const id = parseSpiffeId(spiffeId);
      const owner = ownerOf(id.segments) ?? 'unix';
      const candidates = rows.filter((row) => row.template.source === owner && matchIdentity(row.produces, id).matched);
      const allowed = candidates.filter((row) => row.allowances.some((allowance) => matchIdentity(allowance.pattern, id).matched));
      if (allowed.length === 0) {
        throw new StepsealError('IDENTITY_NOT_ALLOWED', 'the allow list has no row for this identity', { found: spiffeId });
      }
      if (owner === 'step' && attemptOpen !== true) {
        throw new StepsealError('ROAD_NOT_ALLOWED', 'the attempt of this step is not open, so every road is closed', { found: spiffeId });
      }
      const granted = allowed.find((row) => grantedRoads(row, id).includes(road));
      if (granted === undefined) {
        const roads = [...new Set(allowed.flatMap((row) => grantedRoads(row, id)))];
        throw new StepsealError('ROAD_NOT_ALLOWED', `${spiffeId} may not sign by the road ${road}`, { expected: roads.join(', ') || 'no road', found: road });
      }
      return granted.template.name;
    },
  };
}

function checkRows(rows: readonly Row[], allow: readonly Allowance[], trustDomain: string): void {
  const names = rows.map((row) => row.template.name);
  const fail = (name: string, expected: string, found: string): never => {
    throw new StepsealError('IDENTITY_TEMPLATE_INVALID', `the identity template ${name} cannot be used`, { expected, found });
  };
  for (const [index, name] of names.entries()) if (names.indexOf(name) !== index) fail(name, 'one template of each name', name);
  for (const { template, identities, roads } of allow) {
    if (!names.includes(template)) fail(template, `one of ${names.join(', ')}`, template);
    for (const road of roads) if (!ROADS.includes(road)) fail(template, `roads ${ROADS.join(', ')}`, road);
    if (parseIdentityPattern(identities).trustDomain !== trustDomain) fail(template, `identities of ${trustDomain}`, identities);
  }
}
